"""The search plan: canonical order, budgets, constraints, duplicates."""

from __future__ import annotations

from collections import Counter

import pytest

from isoflop.journal.history import History
from isoflop.records import State
from tests.unit.planning.scripted import plan, run, table

RUNGS = (1, 3)


@pytest.fixture(scope="module")
def history() -> History:
    return run(plan(), workers=1, order=0)


@pytest.mark.parametrize(("workers", "order"), [(2, 1), (2, 2), (4, 3), (4, 4), (9, 5)])
def test_workers_and_order_of_arrival_change_nothing(history: History, workers: int, order: int):
    assert table(run(plan(), workers=workers, order=order)) == table(history)


@pytest.mark.parametrize(
    "study", [{"halving": None}, {"look_ahead": 1}, {"look_ahead": 12}, {"sampler": {"name": "random"}}]
)
def test_other_studies_repeat_too(study: dict[str, object]):
    assert table(run(plan(**study), workers=5, order=6)) == table(run(plan(**study), workers=2, order=7))


def test_another_seed_gives_other_trials(history: History):
    assert table(run(plan(seed=1), workers=1, order=0)) != table(history)


def test_look_ahead_decides_what_a_suggestion_sees(history: History):
    assert table(run(plan(look_ahead=16), workers=1, order=0)) != table(history)


def test_infeasible_and_duplicate_trials_are_free(history: History):
    trials = history.trials.values()
    assert sum(not trial.state.free for trial in trials) == 30
    infeasible = [trial for trial in trials if trial.state is State.INFEASIBLE]
    assert infeasible
    assert all(trial.reports == 0 and "parameters <= 900" in trial.reason for trial in infeasible)


def test_states_agree_with_records(history: History):
    for trial in history.trials.values():
        if trial.state is State.PRUNED:
            assert trial.reports in RUNGS
        if trial.state is State.COMPLETE:
            assert trial.reports == 9
    counts = Counter(trial.state for trial in history.trials.values())
    assert sum(counts.values()) == len(history.trials)
    assert {State.PRUNED, State.COMPLETE, State.FAILED} <= set(counts)


def test_every_family_has_its_default_first(history: History):
    first = sorted(history.trials.values(), key=lambda trial: trial.number)[:2]
    assert [trial.params["model.family"] for trial in first] == ["resnet", "vit"]
    assert {trial.source for trial in first} == {"default"}
    assert first[0].params["optim.lr"] == 0.1


def test_enqueued_configurations_come_next():
    known = {"model.family": "resnet", "model.width": 0.5, "model.depth": 0.5, "optim.lr": 0.05}
    trials = run(plan(enqueue=[known], budget={"trials": 4}), workers=1, order=0).trials
    third = next(trial for key, trial in trials.items() if key.trial == 2)
    assert third.source == "enqueued"
    assert third.params == known


def test_a_configuration_that_was_trained_is_answered_from_the_journal():
    known = {"model.family": "vit", "model.depth": 0.5, "optim.lr": 0.001}
    trials = run(plan(enqueue=[known, known], budget={"trials": 5}), workers=1, order=0).trials
    again = next(trial for key, trial in trials.items() if key.trial == 3)
    assert again.state is State.DUPLICATE
    assert again.reason == "equal to trial 2"


def test_a_space_that_is_exhausted_ends_the_study():
    study = plan(constraints=["parameters <= 1"])
    history = run(study, workers=2, order=0)
    assert {trial.state for trial in history.trials.values()} == {State.INFEASIBLE}


def test_a_horizon_too_short_for_its_reports_is_infeasible():
    history = run(plan(fidelity={"axis": "images", "horizon": 100, "reports": 9}), workers=1, order=0)
    assert {trial.state for trial in history.trials.values()} == {State.INFEASIBLE}
    assert "fewer than its 9 reports" in next(iter(history.trials.values())).reason
