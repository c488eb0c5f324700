"""Finds a kernel's parameters: the most probable ones, given observations and a prior.

The prior is stated so that it fits any number of dimensions: two configurations that differ everywhere correlate 0.1.
It keeps the search from trusting ten observations, and costs little once there are a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from isoflop.planning.samplers.additive.kernel import Kernel, similarity, slope
from isoflop.planning.samplers.column import Column, Floats

FAR = 0.1
"""Correlation, by the prior, of configurations that differ in every dimension."""
SPREAD, LENGTH, LENGTH_SPREAD = 1.0, 0.4, 0.7
NOISE, NOISE_SPREAD = 0.03, 1.5
"""Medians and spreads (in the logarithm) of the prior; variances are shares of the observations'."""
JITTER = 1e-6
ITERATIONS = 20


@dataclass(frozen=True)
class Likelihood:
    """The negative logarithm of the posterior probability of parameters, with its gradient.

    `rows` is (n, columns) and `values` (n,), of mean 0 and variance 1.
    """

    columns: tuple[Column, ...]
    rows: Floats
    values: Floats

    @cached_property
    def used(self) -> list[int]:
        """The columns that vary."""
        return [number for number, column in enumerate(self.columns) if column.varies]

    @cached_property
    def ranges(self) -> list[int]:
        """Those of them that are ranges and have a length."""
        return [number for number in self.used if not self.columns[number].options]

    @cached_property
    def prior(self) -> tuple[Floats, Floats]:
        """Means and spreads of the logarithms of strengths, lengths, variance and noise."""
        active = 1.0
        if len(self.rows) and self.used:
            active = max(1.0, float((~np.isnan(self.rows[:, self.used])).sum(axis=1).mean()))
        strength = math.log(FAR ** (-1 / active) - 1)
        n, m = len(self.used), len(self.ranges)
        means = [strength] * n + [math.log(LENGTH)] * m + [0.0, math.log(NOISE)]
        return np.array(means), np.array([SPREAD] * n + [LENGTH_SPREAD] * m + [1.0, NOISE_SPREAD])

    def kernel(self, theta: Floats) -> Kernel:
        """The kernel of some logarithms."""
        strength, length = np.ones(len(self.columns)), np.ones(len(self.columns))
        n, m = len(self.used), len(self.ranges)
        strength[self.used] = np.exp(theta[:n])
        length[self.ranges] = np.exp(theta[n : n + m])
        variance, noise = np.exp(theta[-2:])
        return Kernel(
            columns=self.columns, strength=strength, length=length, variance=float(variance), noise=float(noise)
        )

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """Value and gradient."""
        kernel = self.kernel(theta)
        bases = [self._base(d, kernel) for d in self.used]
        factors = [
            (1 + kernel.strength[d] * base) / (1 + kernel.strength[d]) for d, base in zip(self.used, bases, strict=True)
        ]
        inverse, half_log, weights = _solved(kernel, factors, self.values)
        if inverse is None:
            return 1e10, np.zeros(len(theta))
        value = 0.5 * float(self.values @ weights) + half_log
        sensitivity = 0.5 * (inverse - np.outer(weights, weights))
        gradient = self._gradient(kernel, bases, factors, sensitivity)
        means, spreads = self.prior
        off = (theta - means) / spreads
        return value + 0.5 * float(off @ off), gradient + off / spreads

    def _base(self, number: int, kernel: Kernel) -> Floats:
        """k_d of all rows; that of a choice has no parameter and is made once."""
        if number in self._choices:
            return self._choices[number]
        places = self.rows[:, number]
        return similarity(self.columns[number], places, places, kernel.length[number])

    @cached_property
    def _choices(self) -> dict[int, Floats]:
        places = {number: self.rows[:, number] for number in self.used if self.columns[number].options}
        return {number: similarity(self.columns[number], at, at, 1.0) for number, at in places.items()}

    def _gradient(self, kernel: Kernel, bases: Sequence[Floats], factors: Sequence[Floats], by: Floats) -> Floats:
        """Of the likelihood, by the logarithms; `by` is its derivative by the covariances."""
        before = [np.full_like(by, kernel.variance)]
        for factor in factors:
            before.append(before[-1] * factor)
        noise, variance = kernel.noise * float(np.trace(by)), float((by * before[-1]).sum())
        strengths, lengths = np.zeros(len(factors)), np.zeros(len(factors))
        after = by.copy()
        for place in range(len(factors) - 1, -1, -1):
            d, others = self.used[place], after * before[place]
            s = kernel.strength[d]
            strengths[place] = s / (1 + s) ** 2 * float((others * (bases[place] - 1)).sum())
            if not self.columns[d].options:
                change = slope(self.rows[:, d], kernel.length[d])
                lengths[place] = s / (1 + s) * float((others * change).sum())
            after *= factors[place]
        of_ranges = [lengths[self.used.index(d)] for d in self.ranges]
        return np.concatenate([strengths, of_ranges, [variance, noise]])


def fitted(columns: tuple[Column, ...], rows: Floats, values: Floats) -> Kernel:
    """The most probable kernel; the prior's own where there is nothing to learn from."""
    likelihood = Likelihood(columns, rows, values)
    means, spreads = likelihood.prior
    if len(rows) < 3:
        return likelihood.kernel(means)
    bounds = list(zip(means - 4 * spreads, means + 4 * spreads, strict=True))
    found = minimize(likelihood, means, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS})
    return likelihood.kernel(found.x)


def _solved(kernel: Kernel, factors: Sequence[Floats], values: Floats) -> tuple[Floats | None, float, Floats]:
    """Inverse of the covariances, half the logarithm of their determinant, and the inverse times the values."""
    gram = np.full((len(values), len(values)), kernel.variance)
    for factor in factors:
        gram *= factor
    gram[np.diag_indices_from(gram)] += kernel.noise + JITTER
    lower, failed = lapack.dpotrf(gram, lower=1)
    if failed:
        return None, 0.0, values
    inverse, _ = lapack.dpotri(lower, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    return inverse, float(np.log(np.diag(lower)).sum()), inverse @ values
