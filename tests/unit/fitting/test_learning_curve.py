"""Where running trainings end: made-up curves, real ones that were recorded, and what there is nothing to tell by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.recorded import recorded
from isoflop.errors import SpecError
from isoflop.fitting.learning_curve import extrapolate

REPORTS = 9
LIMITS = {"val_accuracy": (0.0, 1.0), "val_loss": (0.0, math.inf)}


def cosine(end: float, steepness: float) -> list[float]:
    """A curve that a schedule makes steep at its end."""
    return [end - 0.3 * math.exp(-steepness * n) - 0.1 * math.cos(math.pi * n / 18) for n in range(1, REPORTS + 1)]


@pytest.mark.parametrize(
    "curve",
    [
        [0.9 - 0.5 * n**-0.7 for n in range(1, REPORTS + 1)],
        [0.9 - 0.5 * math.exp(-0.4 * n) for n in range(1, REPORTS + 1)],
        [0.2 + 0.9 / (1 + (n / math.e) ** 1.5) for n in range(1, REPORTS + 1)],
    ],
)
def test_curves_of_a_known_form_are_gone_on_with(curve: list[float]) -> None:
    band = extrapolate(curve[:6], REPORTS)
    assert band.value == pytest.approx(curve[-1], abs=0.004)
    assert band.holds(curve[-1])


def test_finished_trials_tell_what_the_schedule_will_do() -> None:
    """The reason for going by them: no form foresees the fall of the rate."""
    curve = cosine(0.9, 0.5)
    finished = [cosine(end, 0.5) for end in np.linspace(0.5, 0.95, 8)]
    guided, alone = extrapolate(curve[:5], REPORTS, finished), extrapolate(curve[:5], REPORTS)
    assert guided.value == pytest.approx(curve[-1], abs=1e-9)
    assert abs(alone.value - curve[-1]) > 0.01
    assert guided.width < 1e-6


def test_the_reference_is_a_line_over_where_trials_stood() -> None:
    finished = [[level] * 8 + [0.5 * level + 0.4] for level in np.linspace(0.1, 0.8, 10)]
    assert extrapolate([0.3] * 4, REPORTS, finished).value == pytest.approx(0.55)
    alike = [[0.5] * 8 + [0.6 + 0.01 * (-1) ** n] for n in range(10)]
    assert extrapolate([0.2] * 4, REPORTS, alike).value == pytest.approx(0.3, abs=0.01)


def test_one_stray_trial_moves_a_line_little() -> None:
    rng = np.random.default_rng(0)
    finished = [[level] * 8 + [level + 0.1 + rng.normal(0, 0.002)] for level in np.linspace(0.1, 0.8, 12)]
    stray = [*finished, [0.45] * 8 + [0.05]]
    assert extrapolate([0.5] * 4, REPORTS, stray).value == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("metric", LIMITS)
@pytest.mark.parametrize("now", [3, 5, 7])
def test_bands_hold_where_real_trainings_end(metric: str, now: int) -> None:
    rows = recorded("cosine", metric)
    bands = [
        extrapolate(row[:now], REPORTS, [*rows[:n], *rows[n + 1 :]], limits=LIMITS[metric])
        for n, row in enumerate(rows)
    ]
    held = np.mean([band.holds(row[-1]) for band, row in zip(bands, rows, strict=True)])
    assert len(rows) == 40
    assert held >= 0.85  # 40 at 95 % stray by 3.4 points


def test_real_trainings_are_foreseen_better_than_by_their_last_report() -> None:
    rows = recorded("cosine", "val_accuracy")
    for now in (3, 5):
        found = [extrapolate(row[:now], REPORTS, [*rows[:n], *rows[n + 1 :]]) for n, row in enumerate(rows)]
        off = np.mean([abs(band.value - row[-1]) for band, row in zip(found, rows, strict=True)])
        last = np.mean([abs(row[now - 1] - row[-1]) for row in rows])
        assert off < 0.85 * last


def test_little_to_go_by_makes_wide_bands() -> None:
    curve = [0.9 - 0.5 * n**-0.7 + 0.01 * (-1) ** n for n in range(1, REPORTS + 1)]
    nothing = extrapolate(curve[:3], REPORTS, limits=(0.0, 1.0))
    assert (nothing.value, nothing.low, nothing.high) == (curve[2], 0.0, 1.0)
    widths = [extrapolate(curve[:now], REPORTS, limits=(0.0, 1.0)).width for now in (4, 6, 8)]
    assert widths == sorted(widths, reverse=True)
    unbounded = extrapolate(curve[:2], REPORTS)
    assert not unbounded.bounded


def test_the_end_itself_is_known() -> None:
    band = extrapolate([0.1, 0.5], 2)
    assert (band.value, band.low, band.high) == (0.5, 0.5, 0.5)


def test_what_is_short_or_not_finite_is_no_reference() -> None:
    rng = np.random.default_rng(1)
    whole = [[*rng.uniform(0.1, 0.5, 8), rng.uniform(0.6, 0.7)] for _ in range(7)]
    useless = [[0.1] * 5, [0.1] * 8 + [math.nan], [math.inf] + [0.1] * 8]
    assert extrapolate([0.3] * 4, REPORTS, [*useless, *whole]) == extrapolate([0.3] * 4, REPORTS, whole)


@pytest.mark.parametrize("seen", [[], [0.1, math.nan], [math.inf]])
def test_values_that_say_nothing_are_refused(seen: list[float]) -> None:
    with pytest.raises(SpecError, match="no finite values; wait for a report"):
        extrapolate(seen, REPORTS)
