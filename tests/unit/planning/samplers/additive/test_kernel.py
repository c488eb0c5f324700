"""The kernel against its formula, written out and multiplied out."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import Matern

from isoflop.planning.samplers.additive.kernel import Kernel, similarity, slope
from isoflop.planning.samplers.coding import Coding
from tests.unit.planning.samplers.additive.spaces import BRANCHES


@pytest.fixture
def rows() -> np.ndarray:
    return Coding(BRANCHES).draw(np.random.default_rng(0), 40)


@pytest.fixture
def kernel() -> Kernel:
    columns = Coding(BRANCHES).columns
    chance = np.random.default_rng(1)
    return Kernel(
        columns=columns,
        strength=chance.uniform(0.1, 3.0, len(columns)),
        length=chance.uniform(0.1, 1.0, len(columns)),
        variance=1.7,
        noise=0.1,
    )


def test_a_range_is_matern_five_halves(rows: np.ndarray, kernel: Kernel):
    number = next(n for n, column in enumerate(kernel.columns) if not column.options and column.varies)
    places = rows[~np.isnan(rows[:, number]), number]
    expected = Matern(length_scale=0.3, nu=2.5)(places[:, None], places[:, None])
    np.testing.assert_allclose(similarity(kernel.columns[number], places, places, 0.3), expected, atol=1e-12)


def test_effects_of_options_sum_to_zero():
    column = next(column for column in Coding(BRANCHES).columns if column.options > 2)
    options = np.arange(column.options, dtype=np.float64)
    np.testing.assert_allclose(similarity(column, options, options, 1.0).sum(axis=1), 0.0, atol=1e-12)


def test_what_is_not_there_is_a_value_of_its_own(kernel: Kernel):
    for column in kernel.columns:
        there, gone = np.array([0.0, 1.0]), np.array([np.nan])
        assert similarity(column, gone, gone, 0.3) == 1.0
        assert not similarity(column, there, gone, 0.3).any()
        assert not similarity(column, gone, there, 0.3).any()


def test_it_is_the_sum_over_all_sets_of_dimensions(rows: np.ndarray, kernel: Kernel):
    used = [n for n, column in enumerate(kernel.columns) if column.varies]
    parts = {n: similarity(kernel.columns[n], rows[:, n], rows[:, n], kernel.length[n]) for n in used}
    total = np.zeros((len(rows), len(rows)))
    for size in range(len(used) + 1):
        for chosen in combinations(used, size):
            total += math.prod((kernel.strength[n] * parts[n] for n in chosen), start=np.ones_like(total))
    total *= kernel.variance / math.prod(1 + kernel.strength[n] for n in used)
    np.testing.assert_allclose(kernel.gram(rows, rows), total, atol=1e-12)


def test_it_is_a_covariance(rows: np.ndarray, kernel: Kernel):
    gram = kernel.gram(rows, rows)
    np.testing.assert_allclose(gram, gram.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(gram), kernel.variance)
    assert np.linalg.eigvalsh(gram).min() > -1e-9


def test_the_slope_is_the_derivative_by_the_logarithm_of_the_length(rows: np.ndarray, kernel: Kernel):
    number = next(n for n, column in enumerate(kernel.columns) if not column.options and column.varies)
    column, places, step = kernel.columns[number], rows[:, number], 1e-5
    up, down = (similarity(column, places, places, 0.3 * math.exp(sign * step)) for sign in (1, -1))
    np.testing.assert_allclose(slope(places, 0.3), (up - down) / (2 * step), atol=1e-8)
