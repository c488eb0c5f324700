"""What a sampler earns beside its control arm, at equal compute."""

from __future__ import annotations

from typing import Any

import pytest

from isoflop.analysis.arms import Arms, arms
from isoflop.records import State, Trial
from isoflop.study_spec import Halving, StudySpec
from tests.unit.analysis.test_anytime import trial

SPEC = StudySpec.model_validate(
    {"name": "s", "control": 0.4, "sampler": {"name": "tpe", "startup": 2}, "halving": None}
)


def compared(trials: list[Trial], **study: Any) -> Arms:
    found = arms(trials, SPEC.model_copy(update=study))
    assert found is not None
    return found


def one(number: int, value: float, source: str = "tpe", *, reports: int = 2, state: State = State.COMPLETE) -> Trial:
    """A report costs 10 FLOPs."""
    return trial(number, [value / 2] * (reports - 1) + [value], state, source=source)


TRIALS = [
    one(0, 0.99, "default"),
    one(1, 0.6),
    one(2, 0.7, "control"),
    one(3, 0.65),
    one(4, 0.72, "control", reports=3),
    one(5, 0.9),
    one(6, 0.95, state=State.PRUNED),
    one(7, 0.98, "enqueued"),
    one(8, 0.85),
    trial(9, [], State.DUPLICATE, source="control"),
]


def test_arms_are_compared_at_the_lesser_ones_compute():
    found = compared(TRIALS)
    assert found.flops == 50.0, "20 and 30 of the control arm; what was given counts for none"
    assert (found.control.trials, found.control.flops, found.control.best) == (2, 50.0, 0.72)
    assert (found.first.trials, found.first.flops, found.first.best) == (2, 40.0, 0.65)
    assert found.latest is not None
    assert (found.latest.trials, found.latest.flops, found.latest.best) == (2, 40.0, 0.85)
    assert found.gain(found.first) == pytest.approx(-0.07)
    assert found.gain(found.latest) == pytest.approx(0.13)
    assert [[point.best for point in curve] for curve in found.curves] == [[0.7, 0.72], [0.6, 0.65, 0.9, 0.9, 0.9]]


def test_a_control_arm_that_spent_more_is_cut():
    found = compared([one(0, 0.6), *(one(n, 0.5 + n / 10, "control") for n in range(1, 4))])
    assert (found.flops, found.control.trials, found.control.best) == (20.0, 1, 0.6)
    assert found.gain(found.first) == 0.0
    assert "(equal)" in next(found.lines())


def test_a_trial_belongs_to_what_is_nearer():
    few, many = one(0, 0.8, "control"), one(0, 0.8, "control", reports=4)
    assert compared([few, one(1, 0.7, reports=5)]).first.trials == 0, "50 FLOPs are further from 20 than none"
    assert compared([many, one(1, 0.7, reports=5)]).first.trials == 1
    assert compared([few, one(1, 0.7, reports=5)]).gain(compared([few, one(1, 0.7, reports=5)]).first) is None


def test_less_is_better_where_the_objective_says_so():
    found = compared(TRIALS, objectives=StudySpec.model_validate({"name": "s", "objectives": ["val_loss"]}).objectives)
    assert found.latest is not None
    assert found.gain(found.first) == pytest.approx(-0.07)
    assert found.gain(found.latest) == pytest.approx(0.13)


def test_with_halving_nothing_is_said_of_the_latest():
    found = compared(TRIALS, halving=Halving())
    assert found.latest is None
    assert found.to_dict()["latest"] is None
    assert not any("latest" in line for line in found.lines())


def test_words_say_who_is_better_and_how_little_one_study_says():
    first, latest, blind, luck = compared(TRIALS).lines()
    assert first == (
        "50 training FLOPs of each arm: best val_accuracy of 2 trials drawn at random 0.72, "
        "of the first 2 trials of tpe 0.65 (0.07 worse)"
    )
    assert latest == "as much of its latest: of 2 trials 0.85 (0.13 better)"
    assert "learns from 2 trials on" in blind
    assert "one draw" in luck
    assert len([*compared(TRIALS, sampler=SPEC.sampler.model_copy(update={"startup": 1})).lines()]) == 3
    assert len([*compared(TRIALS, sampler=SPEC.sampler.model_copy(update={"name": "random"})).lines()]) == 3


def test_json_has_both_curves_and_gains():
    found = compared(TRIALS).to_dict()
    assert set(found) == {"sampler", "flops", "control", "first", "latest", "anytime"}
    assert found["latest"]["gain"] == pytest.approx(0.13)
    assert [point["best"] for point in found["anytime"]["sampler"]] == [0.6, 0.65, 0.9, 0.9]
    assert found["control"] == {"trials": 2, "flops": 50.0, "number": 4, "best": 0.72}


def test_nothing_is_said_without_both_arms():
    assert arms([one(0, 0.6), one(1, 0.99, "default")], SPEC) is None
    assert arms([one(0, 0.6, "control"), one(1, 0.99, "default")], SPEC) is None
    assert arms([one(0, 0.6), trial(1, [0.5], State.RUNNING, source="control")], SPEC) is None
