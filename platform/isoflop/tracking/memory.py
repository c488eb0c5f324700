"""The tracker in memory: the twin of the one that writes to MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isoflop.journal.event import Event
from isoflop.records import Key, State
from isoflop.tracking.projection import INHERITED, Metric, Update, project
from isoflop.tracking.protocol import Tracker


@dataclass(kw_only=True, slots=True)
class Run:
    """The records of a study or of one of its trainings."""

    began: float
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, set[Metric]] = field(default_factory=dict)
    state: State = State.RUNNING
    ended: float | None = None
    weights: str = ""
    reports: list[str] = field(default_factory=list)

    def take(self, update: Update) -> None:
        """Take in what is new."""
        self.tags |= update.tags
        self.params |= update.params
        for metric in update.metrics:
            self.metrics.setdefault(metric.name, set()).add(metric)
        if update.state is not None:
            self.state, self.ended = update.state, update.ended
        self.weights = update.weights or self.weights
        self.reports += update.reports


class MemoryTracker:
    """Keeps runs in dicts: `runs[study][None]` is the study's own, `runs[study][key]` a training's."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[Key | None, Run]] = {}
        self.cursors: dict[str, int] = {}

    def begin(self, study: str, opening: Event) -> int:
        """Find or make the run of a study."""
        self.runs.setdefault(study, {None: Run(began=opening.time)})
        return self.cursors.setdefault(study, 0)

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Take in the events that are new."""
        fresh = [event for event in events if event.seq > self.cursors[study]]
        projection, runs = project(fresh), self.runs[study]
        parent = runs[None]
        parent.take(projection.study)
        inherited = {name: parent.tags[name] for name in INHERITED if name in parent.tags}
        for key, update in projection.trials.items():
            runs.setdefault(key, Run(began=update.began, tags=dict(inherited))).take(update)
        self.cursors[study] = max([self.cursors[study], *(event.seq for event in fresh)])

    def close(self) -> None:
        """Nothing is open."""


_: type[Tracker] = MemoryTracker
