"""A number with a band."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isoflop.fitting.band import Band


def test_even_bands_give_way_as_independent_errors_do():
    found = Band(value=5.0, low=4.7, high=5.3).minus(Band(value=2.0, low=1.6, high=2.4))
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 2.5, 3.5))


def test_each_end_is_of_the_ends_that_lead_there():
    found = Band(value=5.0, low=4.7, high=9.0).minus(Band(value=2.0, low=0.0, high=2.4))
    assert found.low == pytest.approx(3.0 - math.hypot(0.3, 0.4))
    assert found.high == pytest.approx(3.0 + math.hypot(4.0, 2.0))


def test_what_is_not_bounded_stays_so():
    found = Band(value=0.2, low=0.1, high=math.inf).minus(Band(value=0.1, low=0.1, high=0.1))
    assert found.high == math.inf
    assert found.low == pytest.approx(0.0)


def test_the_difference_of_skewed_estimates_is_held_as_often_as_they_are():
    drawn = np.random.default_rng(0)
    logs, error, level = np.log([3.0, 2.0]), 0.2, 1.959964
    held = 0
    for one, other in drawn.normal(logs, error, size=(2000, 2)):
        bands = [
            Band(value=math.exp(x), low=math.exp(x - level * error), high=math.exp(x + level * error))
            for x in (one, other)
        ]
        held += bands[0].minus(bands[1]).holds(1.0)
    assert 0.93 < held / 2000 < 0.97
