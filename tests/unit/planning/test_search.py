"""The search plan: canonical order, budgets, constraints, duplicates."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop.journal.history import History
from isoflop.records import Key, State
from tests.scripted import plan, run, states, table

STUDIES: list[dict[str, object]] = [
    {"halving": None},
    {"look_ahead": 1},
    {"look_ahead": 12},
    {"sampler": {"name": "random"}},
    {"halving": {"name": "hyperband"}},
    {"halving": {"name": "median"}},
    {"objectives": ["val_accuracy", "parameters"]},
    {"objectives": ["val_accuracy", "latency"], "constraints": ["latency <= 5"]},
    {"budget": {"trials": None, "epochs": 60}},
    {"budget": {"trials": 40, "flops": 3000 * 640 * 60, "reserve": 0.25}},
]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return run(plan(), tmp_path_factory.mktemp("one"), workers=1, order=0)


@pytest.mark.parametrize(("workers", "order"), [(2, 1), (2, 2), (4, 3), (4, 4), (9, 5)])
def test_workers_and_order_of_arrival_change_nothing(history: History, tmp_path: Path, workers: int, order: int):
    assert table(run(plan(), tmp_path, workers=workers, order=order)) == table(history)


@pytest.mark.parametrize("study", STUDIES, ids=str)
def test_other_studies_repeat_too(study: dict[str, object], tmp_path: Path):
    one = run(plan(**study), tmp_path / "a", workers=5, order=6)
    other = run(plan(**study), tmp_path / "b", workers=2, order=7)
    assert table(one) == table(other)
    assert len(states(one)) > 1


def test_another_seed_gives_other_trials(history: History, tmp_path: Path):
    assert table(run(plan(seed=1), tmp_path, workers=1, order=0)) != table(history)


def test_look_ahead_decides_what_a_suggestion_sees(history: History, tmp_path: Path):
    assert table(run(plan(look_ahead=16), tmp_path, workers=1, order=0)) != table(history)


def test_infeasible_and_duplicate_trials_are_free(history: History):
    trials = history.trials.values()
    assert sum(not trial.free for trial in trials) == 30
    assert any(trial.state is State.INFEASIBLE for trial in trials)
    assert history.trials[Key(trial=0)].source == "default"
