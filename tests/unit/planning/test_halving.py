"""Successive halving in canonical order."""

from __future__ import annotations

import math

from isoflop.plan import Verdict
from isoflop.planning.halving import verdict
from isoflop.records import Record, State, Trial
from isoflop.study_spec import Objective

UP = Objective()


def trial(number: int, *values: float, state: State = State.RUNNING) -> Trial:
    records = tuple(
        Record(report=k + 1, step=k, epoch=k, images=k, flops=k, fidelity=k, metrics={"val_accuracy": value})
        for k, value in enumerate(values)
    )
    return Trial(number=number, state=state, records=records)


def board(*trials: Trial) -> dict[int, Trial]:
    return {t.number: t for t in trials}


def test_the_first_trial_always_goes_on():
    assert verdict(0, 1, board(trial(0, 0.1)), 3, UP) is Verdict.GO


def test_one_in_eta_goes_on():
    values = [0.5, 0.4, 0.6, 0.1, 0.7, 0.55]
    trials = board(*(trial(n, value) for n, value in enumerate(values)))
    verdicts = [verdict(n, 1, trials, 3, UP) for n in range(6)]
    assert verdicts == [Verdict.GO, Verdict.STOP, Verdict.GO, Verdict.STOP, Verdict.GO, Verdict.STOP]


def test_a_trial_waits_for_every_lower_number_and_no_higher_one():
    assert verdict(1, 1, board(trial(0), trial(1, 0.5)), 3, UP) is Verdict.WAIT
    assert verdict(1, 1, board(trial(0, 0.4), trial(1, 0.5), trial(2)), 3, UP) is Verdict.GO


def test_final_trials_are_not_waited_for():
    trials = board(trial(0, state=State.FAILED), trial(1, state=State.INFEASIBLE), trial(2, 0.5))
    assert verdict(2, 1, trials, 3, UP) is Verdict.GO


def test_higher_trials_do_not_count():
    trials = board(trial(0, 0.5), trial(1, 0.9), trial(2, 0.9))
    assert verdict(0, 1, trials, 3, UP) is Verdict.GO


def test_ties_go_on():
    assert verdict(2, 1, board(trial(0, 0.5), trial(1, 0.5), trial(2, 0.5)), 3, UP) is Verdict.GO


def test_what_is_not_finite_is_worst_and_poisons_nobody():
    trials = board(trial(0, math.inf), trial(1, math.nan), trial(2, 0.1))
    assert verdict(2, 1, trials, 3, UP) is Verdict.GO


def test_a_loss_is_better_when_lower():
    down = Objective.model_validate("val_loss")
    assert down.direction == "minimize"
    lossy = [
        Trial(
            number=n,
            records=(Record(report=1, step=1, epoch=1, images=1, flops=1, fidelity=1, metrics={"val_loss": v}),),
        )
        for n, v in enumerate((0.3, 0.9))
    ]
    assert verdict(1, 1, board(*lossy), 3, down) is Verdict.STOP
