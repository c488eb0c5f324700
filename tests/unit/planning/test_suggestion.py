"""What the sampler is told is the truth."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from optuna.trial import TrialState

from isoflop.planning.suggestion import Names, suggest, told
from isoflop.records import State, Trial
from tests.unit.planning.scripted import plan, record, run

PLAN = plan()
OBJECTIVE = PLAN.spec.objectives[0]
NAMES = Names.of(PLAN.space)
TRIAL = Trial(number=0, params={"model.family": "resnet", "model.width": 0.25, "model.depth": 1.0, "optim.lr": 0.01})


def trained(state: State, reports: int) -> Trial:
    return replace(TRIAL, state=state, records=tuple(record(TRIAL, k + 1) for k in range(reports)))


def test_states_of_a_whole_study_are_told_as_the_journal_has_them():
    history = run(PLAN, workers=1, order=0)
    for trial in history.trials.values():
        found = told(trial, PLAN.space, OBJECTIVE, NAMES)
        if trial.state is State.COMPLETE:
            assert found.state is TrialState.COMPLETE
            assert found.value == trial.value("val_accuracy")
        elif trial.state is State.PRUNED:
            assert found.state is TrialState.PRUNED
            assert found.last_step == trial.reports
            assert not found.constraints
        else:
            assert found.constraints
            assert {name.partition(":")[0]: value for name, value in found.params.items()} == trial.params


def test_a_running_trial_is_told_as_running():
    assert told(trained(State.RUNNING, 2), PLAN.space, OBJECTIVE, NAMES).state is TrialState.RUNNING


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_never_reach_the_sampler(value: float):
    bad = replace(record(TRIAL, 2), metrics={"val_accuracy": value})
    trial = replace(TRIAL, state=State.FAILED, records=(record(TRIAL, 1), bad))
    found = told(trial, PLAN.space, OBJECTIVE, NAMES)
    assert list(found.intermediate_values) == [1]
    assert found.constraints == {"failed": 1.0}


def test_a_suggestion_is_a_function_of_what_it_may_see():
    seen = [
        replace(trained(State.COMPLETE, 9), number=n, params={**TRIAL.params, "optim.lr": 10 ** -(1 + n / 4)})
        for n in range(8)
    ]
    first = suggest(12, seen, PLAN.space, PLAN.spec)
    assert suggest(12, seen, PLAN.space, PLAN.spec) == first
    assert suggest(13, seen, PLAN.space, PLAN.spec) != first
    assert PLAN.space.contains(first)


def test_the_sampler_learns():
    """Of a space where a small learning rate is best, late suggestions are smaller than early ones."""

    def height(rate: float) -> float:
        return 1 - abs(math.log10(rate) + 3.5) / 3

    seen: list[Trial] = []
    for number in range(40):
        params = suggest(number, seen, PLAN.space, PLAN.spec)
        last = replace(record(TRIAL, 9), metrics={"val_accuracy": height(float(params["optim.lr"]))})  # type: ignore[arg-type]
        records = (*(record(TRIAL, k) for k in range(1, 9)), last)
        seen.append(Trial(number=number, params=params, state=State.COMPLETE, records=records))
    rates = [height(float(trial.params["optim.lr"])) for trial in seen]  # type: ignore[arg-type]
    assert sum(rates[-10:]) / 10 > sum(rates[:10]) / 10 + 0.1
