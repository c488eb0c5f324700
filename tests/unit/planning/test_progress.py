"""A plan that follows a history step by step decides as one that takes it in at once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.records import State
from tests.scripted import plan, run, states, table

STUDIES: list[dict[str, object]] = [
    {},
    {"asynchronous": True},
    {"halving": {"name": "hyperband"}},
    {"objectives": ["val_accuracy", "latency"], "constraints": ["latency <= 5"]},
]


@pytest.mark.parametrize("study", STUDIES, ids=str)
def test_step_by_step_and_at_once_are_the_same(study: dict[str, object], tmp_path: Path):
    journal = MemoryJournal()
    run(plan(**study), tmp_path, workers=4, order=1, journal=journal)
    followed, history = plan(**study), History()
    events: list[Event] = []
    for event, after in pairwise([*journal.read("s"), None]):
        events.append(event)
        history.apply(event)
        if event.kind is Kind.START and after.kind is Kind.END:
            continue  # settled at once: both stand in one transaction
        assert followed(history) == plan(**study)(History.fold(events))


def test_arrival_decides_an_asynchronous_study(tmp_path: Path):
    runs = [run(plan(asynchronous=True), tmp_path / str(k), workers=4, order=k) for k in range(4)]
    assert all(State.PRUNED in states(history) for history in runs)
    assert len({str(sorted(states(history).items())) for history in runs}) > 1


def test_a_larger_budget_later_is_the_larger_budget_at_once(tmp_path: Path):
    journal = MemoryJournal()
    run(plan(budget={"trials": 24}), tmp_path / "a", workers=3, order=1, journal=journal)
    extended = run(plan(budget={"trials": 48}), tmp_path / "a", workers=2, order=2, journal=journal)
    at_once = run(plan(budget={"trials": 48}), tmp_path / "b", workers=4, order=3)
    assert table(extended) == table(at_once)
