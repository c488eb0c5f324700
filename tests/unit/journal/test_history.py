"""Folding events into trials."""

from __future__ import annotations

import pytest

from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.records import Key, Record, State

START = {
    "params": {"optim.lr": 0.1},
    "config": {"optim.lr": 0.1, "train.reports": 3},
    "seed": 7,
    "fingerprint": "f",
    "parameters": 100,
    "flops": 2e6,
    "source": "tpe",
}


def record(report, value):
    made = Record(
        report=report,
        step=report * 10,
        epoch=1.0,
        images=100,
        flops=1e6,
        fidelity=float(report),
        metrics={"val_accuracy": value},
    )
    return Event(kind=Kind.RECORD, trial=0, index=report, payload=made.to_dict())


def number(events):
    return [
        Event(kind=e.kind, trial=e.trial, replicate=e.replicate, index=e.index, payload=e.payload, time=i * 1.0, seq=i)
        for i, e in enumerate(events, 1)
    ]


def state(value, index=0):
    return Event(kind=Kind.STATE, trial=0, index=index, payload={"state": value})


STUDY = Event(kind=Kind.STUDY, payload={"name": "digits"})
EVENTS = number(
    [
        STUDY,
        Event(kind=Kind.START, trial=0, payload=START),
        state("RUNNING"),
        record(1, 0.5),
        record(2, 0.6),
        Event(kind=Kind.ARTIFACT, trial=0, index=0, payload={"path": "w", "sha256": "0"}),
        Event(kind=Kind.END, trial=0, payload={"state": "COMPLETE", "reason": ""}),
        Event(kind=Kind.OPENED, trial=0, payload={"data_digest": "d", "metrics": {"test_accuracy": 0.4}}),
        Event(kind=Kind.CLOSED, payload={"state": "COMPLETE"}),
    ]
)


def test_a_history_holds_what_happened():
    history = History.fold(EVENTS)
    trial = history.trials[Key(trial=0)]
    assert (trial.state, trial.seed, trial.params, trial.reports) == (State.COMPLETE, 7, {"optim.lr": 0.1}, 2)
    assert trial.value("val_accuracy") == 0.6
    assert history.artifacts[Key(trial=0), "weights"]["path"] == "w"
    assert history.opened[Key(trial=0)]["metrics"] == {"test_accuracy": 0.4}
    assert (history.segment, history.closed, history.began, history.seq) == (0, {"state": "COMPLETE"}, 1.0, 9)


@pytest.mark.parametrize("cut", range(len(EVENTS) + 1))
def test_folding_in_two_parts_gives_the_same_history(cut):
    history = History.fold(EVENTS[:cut])
    for event in EVENTS[cut:]:
        history.apply(event)
    assert history == History.fold(EVENTS)


def test_a_record_that_was_redone_replaces_it_and_what_came_after():
    history = History.fold(number([STUDY, EVENTS[1], record(1, 0.5), record(2, 0.6), record(3, 0.7), record(2, 0.65)]))
    values = [r.metrics["val_accuracy"] for r in history.trials[Key(trial=0)].records]
    assert values == [0.5, 0.65]


def test_a_final_state_sticks():
    history = History.fold(number([*EVENTS[:7], state("RUNNING", 1), state("INTERRUPTED", 2)]))
    assert history.trials[Key(trial=0)].state is State.COMPLETE
    assert history.open() == []


def test_open_trials_come_in_order_of_number_and_replicate():
    keys = [(2, 0), (0, 1), (0, 0)]
    starts = [Event(kind=Kind.START, trial=t, replicate=r, payload=START) for t, r in keys]
    assert [(t.number, t.replicate) for t in History.fold(starts).open()] == [(0, 0), (0, 1), (2, 0)]


def test_a_new_segment_opens_a_closed_study_again():
    stopped = [STUDY, Event(kind=Kind.DEADLINE), Event(kind=Kind.CLOSED, payload={"state": "COMPLETE"})]
    more = Event(kind=Kind.STUDY, index=1, payload={"name": "digits", "more": True})
    before, after = History.fold(number(stopped)), History.fold(number([*stopped, more]))
    assert (before.deadline, before.closed, before.segment) == (True, {"state": "COMPLETE"}, 0)
    assert (after.deadline, after.closed, after.segment, after.began) == (False, None, 1, 1.0)
