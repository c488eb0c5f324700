"""Crossings of curves with known ones, how often their ranges hold the true place, and curves that cross nowhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from isoflop.errors import SpecError
from isoflop.fitting.band import Band
from isoflop.fitting.crossing import crossings
from isoflop.fitting.monotone import fit_monotone
from isoflop.fitting.power_law import fit_power_law

X = [1e6 * 2 ** (n / 2) for n in range(7)]


@dataclass(frozen=True)
class Known:
    """A curve with a band of one half width everywhere."""

    at: Callable[[float], float]
    half: float

    def predict(self, x: float, seeds: int | None = None) -> Band:
        value = self.at(math.log2(x))
        return Band(value=value, low=value - self.half, high=value + self.half)


def line(slope: float, half: float = 0.3) -> Known:
    return Known(lambda x: slope * x, half)


FLAT = line(0.0, 0.4)
"""Added to a half width of 0.3 it makes 0.5 for a difference."""


def test_two_lines_cross_where_their_difference_may_be_0() -> None:
    found = crossings(line(1.0), FLAT, low=2**-3, high=2**3)
    (one,) = found.ranges
    assert one.proven
    assert np.log2([one.x.low, one.x.value, one.x.high]) == pytest.approx([-0.5, 0.0, 0.5], abs=1e-6)
    assert (found.before, found.after) == (-1, 1)
    assert one.points == (pytest.approx(1.0),)


@pytest.mark.parametrize(("low", "high", "sign"), [(0.8, 3.0, 1), (-3.0, -0.8, -1)])
def test_curves_that_are_apart_all_the_way_cross_nowhere(low: float, high: float, sign: int) -> None:
    found = crossings(line(1.0), FLAT, low=2**low, high=2**high)
    assert found.none
    assert (found.before, found.after) == (sign, sign)


def test_a_range_that_reaches_an_end_is_open_there() -> None:
    (below,) = crossings(line(1.0), FLAT, low=2**-0.2, high=2**3).ranges
    assert below.x.low == -math.inf
    assert math.log2(below.x.high) == pytest.approx(0.5, abs=1e-6)
    assert not below.proven
    (above,) = crossings(line(1.0), FLAT, low=2**-3, high=2**-0.2).ranges
    assert above.x.high == math.inf
    assert above.points == ()
    assert math.isnan(above.x.value)
    (all_over,) = crossings(line(0.0), FLAT, low=0.5, high=2.0).ranges
    assert (all_over.x.low, all_over.x.high) == (-math.inf, math.inf)


def test_several_crossings_are_all_told() -> None:
    found = crossings(Known(lambda x: x**2 - 4, 0.3), FLAT, low=2**-4, high=2**4)
    assert [math.log2(one.x.value) for one in found.proven] == pytest.approx([-2, 2], abs=0.01)
    assert found.before == found.after == 1


def test_curves_that_only_touch_prove_nothing() -> None:
    (one,) = crossings(Known(lambda x: x**2, 0.3), FLAT, low=2**-4, high=2**4).ranges
    assert not one.proven
    assert one.x.bounded
    assert math.isnan(one.x.value)


def test_curves_without_noise_cross_in_a_point() -> None:
    (one,) = crossings(line(1.0, 0.0), line(0.0, 0.0), low=2**-3.3, high=2**3).ranges
    assert one.proven
    assert math.log2(one.x.low) == pytest.approx(0, abs=1e-6)
    assert math.log2(one.x.high) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (2.0, 1.0), (1.0, math.inf)])
def test_no_range_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(SpecError, match="is no range"):
        crossings(FLAT, FLAT, low=ends[0], high=ends[1])


@pytest.mark.parametrize("fit", [fit_power_law, fit_monotone])
@pytest.mark.parametrize("steps", [0.8, 2.0])
def test_ranges_hold_true_crossings(fit: Callable[..., object], steps: float) -> None:
    rng, truth, draws, held, proven = np.random.default_rng(0), 1e6 * 2**steps, 40, 0, 0
    for _ in range(draws):
        first = fit(X, [((0.02 + 0.06 * (x / truth) ** -0.5) * np.exp(rng.normal(0, 0.03, 3))).tolist() for x in X])
        second = fit(X, [(0.08 * (x / truth) ** -0.15 * np.exp(rng.normal(0, 0.03, 3))).tolist() for x in X])
        found = crossings(first, second, low=X[0], high=X[-1])  # type: ignore[arg-type]
        held += any(one.x.holds(truth) for one in found.ranges)
        proven += any(one.proven and one.x.holds(truth) for one in found.ranges)
    assert held >= 33  # 40 draws at 95 % stray by 1.4
    assert proven >= 0.7 * draws


def test_a_monotone_curve_joins_means_that_fall() -> None:
    curve = fit_monotone([1, 2, 4, 8], [[0.40, 0.42], [0.20, 0.22], [0.24, 0.26], [0.10, 0.11]])
    values = [curve.predict(x).value for x in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[1] == values[2]
    assert curve.predict(math.sqrt(2)).value == pytest.approx(math.sqrt(values[0] * values[1]))
    assert curve.predict(2, 1).width > curve.predict(2).width > curve.predict(math.sqrt(2)).width
    with pytest.raises(SpecError, match="16 lies outside 1 to 8; train there"):
        curve.predict(16)


@pytest.mark.parametrize("x", [2.0, 3.0])
def test_a_monotone_curves_band_holds_the_mean(x: float) -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        rows = [(0.3 * n**-0.4 * np.exp(rng.normal(0, 0.05, 3))).tolist() for n in (1, 2, 4, 8)]
        held += fit_monotone([1, 2, 4, 8], rows).predict(x).holds(0.3 * x**-0.4)
    assert 0.92 <= held / 400 <= 0.98
