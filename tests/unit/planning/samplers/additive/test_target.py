"""Scores as a model reads them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isoflop.planning.samplers.additive.target import scalar, warped

VALUES = st.lists(st.integers(-1000, 1000), min_size=3, max_size=40, unique=True).map(lambda found: np.array(found) / 7)


@given(values=VALUES)
def test_warping_keeps_the_order_and_standardizes(values: np.ndarray):
    found = warped(values)
    assert (np.argsort(found) == np.argsort(values)).all()
    np.testing.assert_allclose([found.mean(), found.std()], [0.0, 1.0], atol=1e-6)


@given(values=VALUES)
def test_the_upper_half_keeps_its_distances(values: np.ndarray):
    upper = np.sort(values)[-((len(values) + 1) // 2) :]
    found = np.sort(warped(values))[-len(upper) :]
    np.testing.assert_allclose((found - found[0]) * np.ptp(upper), (upper - upper[0]) * np.ptp(found), atol=1e-9)


def test_how_bad_the_worst_is_says_nothing():
    values = np.array([-1e9, 0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(warped(values), warped(np.array([-1.0, *values[1:]])), atol=1e-9)


def test_equal_values_are_zeros():
    assert not warped(np.full(5, 0.7)).any()


def test_of_several_objectives_the_weights_decide_what_is_best():
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.6], [-0.1, -0.1]])
    best = [int(np.argmax(scalar(values, np.array(weights)))) for weights in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5])]
    assert best == [0, 1, 2]
    assert int(np.argmin(scalar(values, np.array([0.5, 0.5])))) == 3
