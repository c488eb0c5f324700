"""The posterior against another library's, and the fit's gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from isoflop.planning.samplers.additive.fit import JITTER, Likelihood, fitted
from isoflop.planning.samplers.additive.kernel import Kernel
from isoflop.planning.samplers.additive.posterior import Posterior
from isoflop.planning.samplers.coding import Coding
from tests.unit.planning.samplers.additive.spaces import BRANCHES, LINE

NOISE = 0.05


@pytest.fixture
def seen() -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    rows = chance.random((25, 1))
    return rows, np.sin(6 * rows[:, 0]) + 0.2 * chance.standard_normal(25)


@pytest.fixture
def posterior(seen: tuple[np.ndarray, np.ndarray]) -> Posterior:
    huge = np.array([1e9])  # 1 + s k over 1 + s is k where s is huge
    kernel = Kernel(columns=Coding(LINE).columns, strength=huge, length=np.array([0.2]), variance=1.3, noise=NOISE)
    return Posterior(kernel, *seen)


def test_mean_and_deviation_are_those_of_scikit_learn(seen: tuple[np.ndarray, np.ndarray], posterior: Posterior):
    kernel = ConstantKernel(1.3) * Matern(length_scale=0.2, nu=2.5)
    reference = GaussianProcessRegressor(kernel, alpha=NOISE + JITTER, optimizer=None).fit(*seen)
    at = np.linspace(-0.2, 1.2, 50)[:, None]
    mean, deviation = reference.predict(at, return_std=True)
    ours, spread = posterior.at(at)
    np.testing.assert_allclose(ours, mean, atol=1e-6)
    np.testing.assert_allclose(spread, deviation, atol=1e-6)
    np.testing.assert_allclose(posterior.mean(at), mean, atol=1e-6)
    np.testing.assert_allclose(posterior.means, reference.predict(seen[0]), atol=1e-6)


def test_believing_what_is_expected_changes_no_mean_and_leaves_less_doubt(posterior: Posterior):
    at, elsewhere = np.array([[0.31], [0.77]]), np.linspace(0, 1, 20)[:, None]
    believing = posterior.believing(at)
    np.testing.assert_allclose(believing.mean(elsewhere), posterior.mean(elsewhere), atol=1e-6)
    assert (believing.at(at)[1] < posterior.at(at)[1]).all()


def test_the_gradient_of_the_fit_is_that_of_differences():
    coding = Coding(BRANCHES)
    chance = np.random.default_rng(2)
    rows = coding.draw(chance, 30)
    likelihood = Likelihood(coding.columns, rows, chance.standard_normal(30))
    theta = likelihood.prior[0] + 0.3 * chance.standard_normal(len(likelihood.prior[0]))
    _, gradient = likelihood(theta)
    steps = 1e-6 * np.eye(len(theta))
    differences = [(likelihood(theta + step)[0] - likelihood(theta - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, differences, rtol=1e-4, atol=1e-5)


def test_the_fit_tells_what_matters_from_what_does_not():
    coding = Coding(BRANCHES)
    rows = coding.draw(np.random.default_rng(3), 80)
    family, batch = rows[:, 0], rows[:, -2]
    values = np.where(family == 1, 1.0, -0.5)
    kernel = fitted(coding.columns, rows, (values - values.mean()) / values.std())
    assert len(np.unique(batch)) == 3
    assert kernel.strength[0] > 10 * kernel.strength[-2]
    assert kernel.noise < 0.03
