"""Expected improvement against its integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mpmath import mp, mpf, npdf, quad

from isoflop.planning.samplers.additive.acquisition import log_improvement


@pytest.mark.parametrize("mean", [-30.0, -6.0, -1.5, -0.51, -0.49, 0.0, 2.0])
@pytest.mark.parametrize("deviation", [0.5, 2.0])
def test_it_is_the_logarithm_of_the_integral(mean: float, deviation: float):
    with mp.workdps(40):
        z = mpf(mean) / deviation
        integral = quad(lambda x: (x + z) * npdf(x), [-z, -z + 1, -z + 4, -z + 20, mp.inf]) * deviation
        expected = float(mp.log(integral))
    found = log_improvement(np.array([mean]), np.array([deviation]), 0.0)
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_it_grows_with_the_mean_however_poor():
    means = -np.logspace(9, -3, 200)
    found = log_improvement(means, np.ones(200), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_certain_improvement_is_the_difference():
    assert log_improvement(np.array([3.0]), np.array([1e-6]), 1.0)[0] == pytest.approx(math.log(2.0))
