"""A study's events folded into trials: what plans decide on and what boards show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.records import Key, Record, State, Trial


@dataclass(slots=True)
class History:
    """The state of a study after a run of events. Folding the same events gives the same history."""

    study: Mapping[str, Any] = field(default_factory=dict)
    """Payload of the newest STUDY event."""
    segment: int = -1
    trials: dict[Key, Trial] = field(default_factory=dict)
    artifacts: dict[tuple[Key, str], Mapping[str, Any]] = field(default_factory=dict)
    opened: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    closed: Mapping[str, Any] | None = None
    """Payload of the CLOSED event of the present segment."""
    deadline: bool = False
    """Whether the time budget ran out in the present segment."""
    began: float = 0.0
    updated: float = 0.0
    seq: int = 0

    @classmethod
    def fold(cls, events: Iterable[Event]) -> Self:
        """The history after all of these events."""
        history = cls()
        for event in events:
            history.apply(event)
        return history

    def apply(self, event: Event) -> None:
        """Take in one event. A record that was redone after an interruption changes nothing."""
        self.seq, self.updated = event.seq, event.time
        if event.trial < 0:
            self._apply_study(event)
        else:
            self._apply_trial(Key(trial=event.trial, replicate=event.replicate), event)

    def _apply_study(self, event: Event) -> None:
        if event.kind is Kind.STUDY:
            self.study, self.segment, self.closed = event.payload, event.index, None
            self.deadline = False
            self.began = self.began or event.time
        elif event.kind is Kind.DEADLINE:
            self.deadline = True
        elif event.kind is Kind.CLOSED:
            self.closed = event.payload

    def _apply_trial(self, key: Key, event: Event) -> None:
        payload = event.payload
        if event.kind is Kind.START:
            self.trials[key] = Trial(number=key.trial, replicate=key.replicate, **payload)
        elif event.kind is Kind.ARTIFACT:
            self.artifacts[key, ARTIFACTS[event.index]] = payload
        elif event.kind is Kind.OPENED:
            self.opened[key] = payload
        else:
            self.trials[key] = _step(self.trials[key], event)

    def open(self) -> list[Trial]:
        """The trials that are not final, in order of number and replicate."""
        return sorted((t for t in self.trials.values() if not t.state.final), key=lambda t: (t.number, t.replicate))


def _step(trial: Trial, event: Event) -> Trial:
    """A trial after one of its own events."""
    if event.kind is Kind.RECORD:
        record = Record.from_dict(event.payload)
        return replace(trial, records=(*trial.records[: record.report - 1], record))
    if event.kind is Kind.END:
        return replace(trial, state=State(event.payload["state"]), reason=event.payload.get("reason", ""))
    return trial if trial.state.final else replace(trial, state=State(event.payload["state"]))
