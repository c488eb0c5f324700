"""Trials with several replicates: when they have a run of their own, and what it says of its replicates together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from isoflop.journal.event import Event, Kind
from isoflop.records import Record, State

PRECEDENCE = (
    State.RUNNING,
    State.INTERRUPTED,
    State.WAITING,
    State.FAILED,
    State.KILLED,
    State.PRUNED,
    State.INFEASIBLE,
    State.DUPLICATE,
    State.COMPLETE,
)
"""A trial is in the first of these states that one of its replicates is in."""
TELLING = frozenset({Kind.START, Kind.STATE, Kind.END, Kind.OPENED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Joint:
    """What an event changes for a trial with several replicates."""

    state: State
    began: float
    """Unix seconds at which its first replicate did."""
    joined: Sequence[int] = ()
    """The replicates there were before, where it has several by this event only."""
    means: Mapping[str, float] = field(default_factory=dict)
    """Metrics by name, each the mean over `count` replicates."""
    count: int = 0


@dataclass(slots=True)
class Training:
    """What a trial's mean needs of one replicate."""

    began: float
    state: State = State.WAITING
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of its latest record."""
    opened: Mapping[str, float] = field(default_factory=dict)
    """What the opened test set gave."""

    def take(self, event: Event) -> None:
        """Take in one event of it."""
        if event.kind is Kind.RECORD:
            self.metrics = Record.from_dict(event.payload).metrics
        elif event.kind in {Kind.STATE, Kind.END}:
            self.state = State(event.payload["state"])
        elif event.kind is Kind.OPENED:
            self.opened = event.payload["metrics"]


class Replicates:
    """Folds a study's events, from the first one on."""

    def __init__(self) -> None:
        self._trials: dict[int, dict[int, Training]] = {}
        self._several: set[int] = set()

    @property
    def several(self) -> AbstractSet[int]:
        """The numbers of the trials that have several replicates by now."""
        return self._several

    def take(self, event: Event) -> Joint | None:
        """Take in an event of a trial. None where it says nothing about several replicates together."""
        trainings = self._trials.setdefault(event.trial, {})
        trainings.setdefault(event.replicate, Training(began=event.time)).take(event)
        if len(trainings) < 2 or event.kind not in TELLING:
            return None
        joined = () if event.trial in self._several else tuple(one for one in trainings if one != event.replicate)
        self._several.add(event.trial)
        together = list(trainings.values())
        means, count = _means(event, together, new=bool(joined))
        return Joint(
            state=min((one.state for one in together), key=PRECEDENCE.index),
            began=min(one.began for one in together),
            joined=joined,
            means=means,
            count=count,
        )


def _means(event: Event, trainings: Sequence[Training], *, new: bool) -> tuple[Mapping[str, float], int]:
    """The means that an event brings, and over how many replicates: those that are COMPLETE, or were opened."""
    complete = [one.metrics for one in trainings if one.state is State.COMPLETE]
    opened = [one.opened for one in trainings if one.opened]
    if event.kind is Kind.OPENED:
        return _mean(opened), len(opened)
    if new or (event.kind is Kind.END and event.payload["state"] == State.COMPLETE):
        return _mean(complete) | (_mean(opened) if new else {}), len(complete)
    return {}, 0


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric that all have."""
    names = [name for name in rows[0] if all(name in row for row in rows)] if rows else []
    return {name: math.fsum(row[name] for row in rows) / len(rows) for name in names}
