"""The tracker in memory: the twin of the one that writes to MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from isoflop.errors import StateError
from isoflop.journal.event import Event
from isoflop.records import State
from isoflop.tracking.audit import Seen, Where
from isoflop.tracking.projection import SEQ, Metric, Projector, Update, status_of
from isoflop.tracking.protocol import Mendable


@dataclass(kw_only=True, slots=True)
class Run:
    """The records of a study, of one of its trainings, or of a trial with several replicates."""

    began: float
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, set[Metric]] = field(default_factory=dict)
    state: State = State.RUNNING
    ended: float | None = None
    weights: str = ""
    reports: list[str] = field(default_factory=list)
    data: str = ""
    """Digest of the data set."""
    seq: int = 0
    """Place of its newest event in the journal."""
    above: Where = None
    """The run that it hangs below."""

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
        self.seq = max(self.seq, update.seq)
        self.data = str(update.data["digest"]) if update.data else self.data


class MemoryTracker:
    """Keeps runs in dicts: `runs[study][None]` is the study's own, the others stand at their places."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[Where, Run]] = {}
        self.cursors: dict[str, int] = {}
        self._projectors: dict[str, Projector] = {}

    def begin(self, study: str, opening: Event) -> int:
        """Find or make the run of a study."""
        self.runs.setdefault(study, {}).setdefault(None, Run(began=opening.time))
        self._projectors[study] = Projector()
        return self.cursors.setdefault(study, 0)

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Take in the events that are new."""
        if study not in self._projectors:
            raise StateError(f"{study}: its records are begun anew after an error")
        projector, cursor, runs = self._projectors[study], self.cursors[study], self.runs[study]
        projector.project([event for event in events if event.seq <= cursor])
        fresh = [event for event in events if event.seq > cursor]
        projection = projector.project(fresh)
        for place, update in projection.runs.items():
            if projection.before[place] and place not in runs:
                self.rewind(study)
                raise StateError(f"{study}/{place}: its run is missing; study {study} is written anew")
            runs.setdefault(place, Run(began=update.began)).take(update)
            runs[place].above = projection.above(place)
        runs[None].take(projection.study)
        self.cursors[study] = max([cursor, *(event.seq for event in fresh)])

    def seen(self, study: str, opening: Event) -> Sequence[Seen]:
        """The runs that stand of a study."""
        del opening  # studies of other machines are not kept here
        return [
            Seen(
                id=_id(study, place),
                name=_id(study, place),
                place=place,
                status=status_of(run.state),
                above="" if place is None else _id(study, run.above),
                tags=run.tags,
                params=run.params,
                metrics={
                    SEQ: run.seq,
                    **{name: max(many, key=Metric.order).value for name, many in run.metrics.items()},
                },
            )
            for place, run in self.runs.get(study, {}).items()
        ]

    def rewind(self, study: str) -> None:
        """Forget up to where the study stands."""
        self.cursors[study] = 0
        del self._projectors[study]

    def remove(self, runs: Iterable[str]) -> None:
        """Forget runs."""
        for one in runs:
            study, place = self._find(one)
            del self.runs[study][place]

    def end(self, runs: Mapping[str, float]) -> None:
        """End runs as killed."""
        for one, ended in runs.items():
            study, place = self._find(one)
            self.runs[study][place].state, self.runs[study][place].ended = State.KILLED, ended

    def close(self) -> None:
        """Nothing is open."""

    def _find(self, run: str) -> tuple[str, Where]:
        return next((study, place) for study, runs in self.runs.items() for place in runs if _id(study, place) == run)


def _id(study: str, place: Where) -> str:
    return study if place is None else f"{study}/{place!r}"


_: type[Mendable] = MemoryTracker
