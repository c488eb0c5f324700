"""Fronts over any quantities, and their volume against moocore."""

from __future__ import annotations

import math

import moocore
import numpy as np
import pytest

from isoflop.analysis.tradeoff import tradeoff
from isoflop.errors import SpecError
from isoflop.pareto import hypervolume
from isoflop.records import Record, State, Trial
from isoflop.study_spec import Constraint


def trial(number: int, accuracy: float, flops: float, state: State = State.COMPLETE, parameters: int = 10) -> Trial:
    metrics = {"val_accuracy": accuracy}
    record = Record(report=1, step=1, epoch=1, images=1, flops=1, fidelity=1, metrics=metrics)
    return Trial(number=number, state=state, flops=flops, parameters=parameters, records=(record,))


TRIALS = [
    trial(0, 0.9, 100.0),
    trial(1, 0.8, 50.0),
    trial(2, 0.8, 70.0),
    trial(3, 0.99, 10.0, State.PRUNED),
    trial(4, math.nan, 1.0),
    trial(5, 0.5, 100.0),
    trial(6, 0.7, 20.0, parameters=99),
]


def test_the_front_is_of_complete_trials_the_best_first() -> None:
    found = tradeoff(TRIALS, ["val_accuracy", "flops"])
    assert [one.number for one in found.trials] == [0, 1, 6]
    assert (found.candidates, found.directions, found.reference) == (5, ("maximize", "minimize"), (0.5, 100.0))
    # Of a box of 0.4 by 80: accuracies 0.7 and 0.8 from their FLOPs on, 0.9 at the very end.
    assert found.volume == pytest.approx((0.2 * 80 + 0.1 * 50) / (0.4 * 80))
    row = found.to_dict()
    assert row["front"][0] == {"number": 0, "val_accuracy": 0.9, "flops": 100.0}
    assert row["quantities"] == {"val_accuracy": "maximize", "flops": "minimize"}


def test_what_breaks_a_constraint_is_no_candidate() -> None:
    found = tradeoff(TRIALS, ["val_accuracy", "flops"], [Constraint.model_validate("parameters <= 50")])
    assert [one.number for one in found.trials] == [0, 1]


def test_no_trial_and_no_spread_have_no_volume() -> None:
    assert tradeoff([], ["val_accuracy", "flops"]).to_dict()["hypervolume"] is None
    assert tradeoff(TRIALS[:1], ["val_accuracy", "flops", "parameters"]).volume is None
    with pytest.raises(SpecError, match="val_acuracy"):
        tradeoff(TRIALS, ["val_acuracy", "flops"])


@pytest.mark.parametrize("columns", [2, 3])
def test_hypervolume_is_moocores(columns: int) -> None:
    values = np.random.default_rng(columns).random((40, columns))
    turned = values * np.asarray([-1.0, 1.0, 1.0][:columns])
    reference = [0.0, 1.0, 1.0][:columns]
    directions = ["maximize", "minimize", "minimize"][:columns]
    known = moocore.hypervolume(turned, ref=reference)
    assert hypervolume(values, directions, reference) == pytest.approx(known)  # type: ignore[arg-type]
    torn = np.vstack([values, np.full(columns, math.nan)])
    assert hypervolume(torn, directions, reference) == pytest.approx(known)  # type: ignore[arg-type]
    assert hypervolume(np.empty((0, columns)), directions, reference) == 0.0  # type: ignore[arg-type]
