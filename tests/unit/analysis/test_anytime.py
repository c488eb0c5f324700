"""How a search came along, with every state taken for what it is, and what its trials cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from isoflop.analysis.anytime import anytime, steps, tail
from isoflop.analysis.spending import Cost, by_family, by_state, spent
from isoflop.records import Record, State, Trial
from isoflop.study_spec import Constraint, Objective

ACCURACY, LOSS = Objective.model_validate("val_accuracy"), Objective.model_validate("val_loss")


def trial(number: int, curve: Sequence[float], state: State, *, family: str = "resnet", **more: Any) -> Trial:
    """A report costs 10 FLOPs, 2 seconds and 64 images."""
    records = tuple(
        Record(
            report=place,
            step=place,
            epoch=place,
            images=64 * place,
            flops=10.0 * place,
            fidelity=place,
            metrics={"val_accuracy": value, "val_loss": 1 - value},
            measured={"seconds": 2.0, "memory": 1e6 * place},
        )
        for place, value in enumerate(curve, start=1)
    )
    config = {"model.family": family, "train.devices": 1}
    facts: dict[str, Any] = {"config": config, "records": records, "tried": bool(curve)}
    return Trial(number=number, state=state, **facts | more)


TRIALS = [
    trial(3, [0.6, 0.7], State.COMPLETE),
    trial(0, [0.5, 0.6], State.COMPLETE),
    trial(1, [0.99], State.PRUNED),
    trial(2, [], State.INFEASIBLE),
    trial(4, [0.9], State.FAILED, family="vit"),
    trial(5, [], State.DUPLICATE),
    trial(6, [0.6, 0.65], State.COMPLETE),
    trial(7, [0.97], State.RUNNING),
]


def test_a_cut_trial_costs_and_is_never_the_best() -> None:
    points = anytime(TRIALS, ACCURACY)
    assert [(p.number, p.trials, p.flops, p.seconds, p.best) for p in points] == [
        (0, 1, 20.0, 4.0, 0.6),
        (1, 2, 30.0, 6.0, 0.6),
        (3, 3, 50.0, 10.0, 0.7),
        (4, 4, 60.0, 12.0, 0.7),
        (6, 5, 80.0, 16.0, 0.7),
    ]
    assert [p.number for p in steps(points)] == [0, 3, 6]
    assert steps([]) == []


def test_less_is_better_where_the_objective_says_so() -> None:
    assert [p.best for p in anytime(TRIALS, LOSS)] == pytest.approx([0.4, 0.4, 0.3, 0.3, 0.3])


def test_what_breaks_a_constraint_is_never_the_best() -> None:
    limit = Constraint.model_validate("val_accuracy <= 0.65")
    assert [p.best for p in anytime(TRIALS, ACCURACY, [limit])] == [0.6, 0.6, 0.6, 0.6, 0.65]


def test_nothing_stands_before_the_first_complete_trial() -> None:
    points = anytime([trial(0, [0.9], State.PRUNED), trial(1, [0.5], State.COMPLETE)], ACCURACY)
    assert [p.best for p in points] == [None, 0.5]
    assert tail(points, ACCURACY, "trials").gain is None
    assert tail([], ACCURACY).best is None


@pytest.mark.parametrize(("objective", "curve"), [(ACCURACY, [0.5, 0.6, 0.9]), (LOSS, [0.5, 0.4, 0.1])])
def test_the_last_tenth_counts_from_what_was_spent(objective: Objective, curve: Sequence[float]) -> None:
    first, middle, last = (value if objective is ACCURACY else 1 - value for value in curve)
    trials = [
        trial(0, [first] * 10, State.COMPLETE),
        *(trial(number, [middle] * 10, State.COMPLETE) for number in range(1, 9)),
        trial(9, [last] * 10, State.COMPLETE),
    ]
    found = tail(anytime(trials, objective), objective)
    assert found.trials == 1
    assert found.gain == pytest.approx(0.3)
    assert found.to_dict()["axis"] == "flops"


def test_cost_is_that_of_the_latest_record_and_sums_by_family_and_state() -> None:
    assert Cost.of(TRIALS[0]) == Cost(trials=1, flops=20, seconds=4, device_seconds=4, images=128, memory=2e6)
    assert Cost.of(trial(0, [], State.INFEASIBLE)) == Cost()
    two = trial(0, [0.5], State.COMPLETE, config={"model.family": "vit", "train.devices": 2})
    assert Cost.of(two).device_seconds == 4.0
    whole = spent(TRIALS)
    assert (whole.trials, whole.flops, whole.seconds, whole.memory) == (6, 90.0, 18.0, 2e6)
    assert {name: cost.flops for name, cost in by_family(TRIALS).items()} == {"resnet": 80.0, "vit": 10.0}
    states = by_state(TRIALS)
    assert next(iter(states)) == "COMPLETE"
    assert states["PRUNED"].flops == 10.0
    assert states["DUPLICATE"] == Cost()
    assert sum(states.values(), Cost()) == whole


def test_energy_is_summed_where_it_was_told() -> None:
    told = [measured(0, {"joules_cpu": 3.0, "joules_gpu": 5.0}), measured(1, {"joules_cpu": 2.0}), measured(2, {})]
    assert [(one.joules_cpu, one.joules_gpu, one.joules, one.metered) for one in map(Cost.of, told)] == [
        (6.0, 10.0, 16.0, 1),
        (4.0, None, 4.0, 1),
        (None, None, None, 0),
    ]
    whole = spent(told)
    assert (whole.joules_cpu, whole.joules_gpu, whole.metered, whole.trials) == (10.0, 10.0, 2, 3)
    assert by_family(told)["resnet"] == whole
    half = measured(0, {"joules_cpu": 3.0})
    half = replace(half, records=(half.records[0], replace(half.records[1], measured={})))
    assert (Cost.of(half).joules, Cost.of(half).metered) == (3.0, 0), "a part of it was told"
    assert spent(TRIALS).joules is None


def measured(number: int, more: dict[str, float]) -> Trial:
    """A trial of two reports, each with more that was measured."""
    made = trial(number, [0.5, 0.6], State.COMPLETE)
    return replace(made, records=tuple(replace(one, measured={**one.measured, **more}) for one in made.records))
