"""A study's events folded into trials: what plans decide on and what boards show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
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
    openings: list[Mapping[str, Any]] = field(default_factory=list)
    """Payload of every OPENING event, with its `time`."""
    opened: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    """Payload of the OPENED event of each trial, with its `time`."""
    verdicts: dict[Key, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    """What came of repeating a training, the newest last."""
    closed: Mapping[str, Any] | None = None
    """Payload of the CLOSED event of the present segment."""
    reported: Mapping[str, Any] | None = None
    """Payload of the newest REPORTED event."""
    deadline: bool = False
    """Whether the time budget ran out in the present segment."""
    changes: list[tuple[Key, int]] = field(default_factory=list)
    """Of every event of a trial, in order of arrival: which one, and how many reports it had made then."""
    began: float = 0.0
    updated: float = 0.0
    seq: int = 0
    _open: set[Key] = field(default_factory=set)

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
        elif event.kind is Kind.REPORTED:
            self.reported = event.payload
        elif event.kind is Kind.CLOSED:
            self.closed = event.payload
        elif event.kind is Kind.OPENING:
            self.openings.append({**event.payload, "time": event.time})

    def _apply_trial(self, key: Key, event: Event) -> None:
        payload = event.payload
        if event.kind is Kind.VERDICT:  # a trial stands as it did, and no plan has to look at it
            self.verdicts[key] = (*self.verdicts.get(key, ()), payload)
            return
        if event.kind is Kind.START:
            proposed = payload["fingerprint"]
            self.trials[key] = Trial(number=key.trial, replicate=key.replicate, proposed=proposed, **payload)
        elif event.kind is Kind.ARTIFACT:
            self.artifacts[key, ARTIFACTS[event.index]] = payload
        elif event.kind is Kind.OPENED:
            self.opened[key] = {**payload, "time": event.time}
        else:
            self.trials[key] = _step(self.trials[key], event)
        self._note(key)

    def copy(self) -> Self:
        """A history that later events of this one do not change."""
        return replace(
            self,
            trials=dict(self.trials),
            artifacts=dict(self.artifacts),
            openings=list(self.openings),
            opened=dict(self.opened),
            verdicts=dict(self.verdicts),
            changes=list(self.changes),
            _open=set(self._open),
        )

    @property
    def unfinished(self) -> AbstractSet[Key]:
        """The keys of the trials that are not final."""
        return self._open

    def open(self) -> list[Trial]:
        """The trials that are not final, in order of number and replicate."""
        return [self.trials[key] for key in sorted(self._open)]

    def _note(self, key: Key) -> None:
        """Keep the lists of what changed and of what is open."""
        if (trial := self.trials.get(key)) is None:
            return
        self.changes.append((key, trial.reports))
        if trial.state.final:
            self._open.discard(key)
        else:
            self._open.add(key)


def _step(trial: Trial, event: Event) -> Trial:
    """A trial after one of its own events."""
    return STEPS[event.kind](trial, event)


def _record(trial: Trial, event: Event) -> Trial:
    record = Record.from_dict(event.payload)
    return replace(trial, records=(*trial.records[: record.report - 1], record), tried=True, stalled=0)


def _end(trial: Trial, event: Event) -> Trial:
    return replace(trial, state=State(event.payload["state"]), reason=event.payload.get("reason", ""))


def _measured(trial: Trial, event: Event) -> Trial:
    return replace(trial, latency=event.payload["latency"], tried=True)


def _retry(trial: Trial, event: Event) -> Trial:
    return replace(trial, config=event.payload["config"], fingerprint=event.payload["fingerprint"], attempt=event.index)


def _fault(trial: Trial, event: Event) -> Trial:
    del event
    return replace(trial, stalled=trial.stalled + 1)


def _state(trial: Trial, event: Event) -> Trial:
    state = State(event.payload["state"])
    if trial.state.final or state is trial.state:
        return trial
    return replace(trial, state=state, tried=trial.tried or state is State.RUNNING)


STEPS = {
    Kind.RECORD: _record,
    Kind.END: _end,
    Kind.MEASURED: _measured,
    Kind.RETRY: _retry,
    Kind.FAULT: _fault,
    Kind.STATE: _state,
}
