from __future__ import annotations

from dataclasses import replace

import pytest

from isoflop.choice import choose, distinct, front
from isoflop.records import Record, State, Trial
from isoflop.study_spec import Constraint, Objective

BOTH = [Objective(metric="val_accuracy"), Objective(metric="flops", direction="minimize")]


def trial(number: int, accuracy: float, flops: float, state: State = State.COMPLETE) -> Trial:
    record = Record(
        report=1,
        step=1,
        epoch=1.0,
        images=1,
        flops=1.0,
        fidelity=1.0,
        metrics={"val_accuracy": accuracy},
        measured={},
    )
    return Trial(
        number=number,
        params={},
        config={},
        seed=0,
        proposed="",
        fingerprint="",
        parameters=1,
        flops=flops,
        state=state,
        records=(record,),
    )


TRIALS = [
    trial(0, 0.5, 1.0),
    trial(1, 0.9, 9.0),
    trial(2, 0.8, 9.0),
    trial(3, 0.7, 2.0),
    trial(4, 0.99, 0.5, State.PRUNED),
    trial(5, 0.7, 2.0),
]


def numbers(*, only: int | None = None, limits: list[Constraint] | None = None) -> list[int]:
    return [one.number for one in front(TRIALS, BOTH[:only], limits or [])]


def test_a_front_is_what_no_complete_trial_beats_in_every_objective():
    assert numbers() == [0, 1, 3, 5]


def test_of_one_objective_it_is_the_best():
    assert numbers(only=1) == [1]


def test_what_breaks_a_constraint_is_not_on_it():
    assert numbers(limits=[Constraint.model_validate("flops <= 5")]) == [0, 3, 5]


def test_no_trials_make_no_front():
    assert not front([TRIALS[4]], BOTH, [])
    assert not choose([TRIALS[4]], BOTH, [], 3)


@pytest.mark.parametrize("top", [1, 2, 9])
def test_the_best_of_several_objectives_stand_on_the_front(top: int):
    best = [one.number for one in choose(TRIALS, BOTH, [], top)]
    assert set(best[:4]) <= {0, 1, 3, 5}
    assert len(best) == min(top, 5)


def test_the_best_of_one_objective_come_best_first():
    assert [one.number for one in choose(TRIALS, BOTH[:1], [], 3)] == [1, 2, 3]


def test_what_both_arms_trained_is_a_finalist_once():
    best = [replace(one, fingerprint=name) for one, name in zip(TRIALS, "ababca", strict=True)]
    assert [one.number for one in distinct(best)] == [0, 1, 4]
