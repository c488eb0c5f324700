"""What open trials are expected to come to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from isoflop.journal.history import History
from isoflop.planning.expectation import expectation
from isoflop.records import Key, Record, State, Trial

REPORTS = 9
METRIC = "val_accuracy"


def trial(number: int, values: list[float], state: State = State.RUNNING, metric: str = METRIC) -> Trial:
    records = tuple(
        Record(report=n, step=n, epoch=n, images=n, flops=n, fidelity=n, metrics={metric: value})
        for n, value in enumerate(values, 1)
    )
    return Trial(number=number, state=state, config={"train.reports": REPORTS}, records=records)


def curve(end: float, reports: int = REPORTS) -> list[float]:
    return [end - 0.5 * math.exp(-0.4 * report) for report in range(1, reports + 1)]


def history(*trials: Trial) -> History:
    made = History()
    made.trials.update({one.key: one for one in trials})
    return made


FINISHED = [trial(n, curve(0.8 + 0.01 * n), State.COMPLETE) for n in range(10)]


def test_finished_trials_foretell_an_open_one():
    one = trial(20, curve(0.853, 4))
    band = expectation(history(*FINISHED, one), METRIC)(one)
    assert band is not None
    assert band.value == pytest.approx(curve(0.853)[-1], abs=1e-3)
    assert band.width < 0.01


def test_pruned_trials_foretell_nothing():
    stopped = [replace(one, state=State.PRUNED) for one in FINISHED]
    one = trial(20, curve(0.85, 2))
    assert expectation(history(*stopped, one), METRIC)(one) is None


def test_a_curve_alone_is_followed_with_a_wider_band():
    one = trial(20, curve(0.85, 6))
    alone = expectation(history(one), METRIC)(one)
    among = expectation(history(*FINISHED, one), METRIC)(one)
    assert alone is not None
    assert among is not None
    assert alone.holds(curve(0.85)[-1])
    assert alone.width > among.width


@pytest.mark.parametrize("values", [[], [0.5, math.nan]])
def test_nothing_is_said_without_finite_reports(values: list[float]):
    one = trial(20, values)
    assert expectation(history(*FINISHED, one), METRIC)(one) is None


def test_a_loss_may_exceed_1():
    finished = [trial(n, [5.0 - 0.1 * n, 4.0, 3.0 - 0.1 * n] * 3, State.COMPLETE, "val_loss") for n in range(8)]
    one = trial(20, [5.0], metric="val_loss")
    band = expectation(history(*finished, one), "val_loss")(one)
    assert band is not None
    assert band.value > 1


def test_what_a_model_costs_is_known_anyway():
    one = trial(20, curve(0.85, 6))
    assert expectation(history(one), "parameters")(one) is None
    assert one.key == Key(trial=20)
