"""What a Gaussian process knows after observations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from isoflop.planning.samplers.additive.fit import JITTER
from isoflop.planning.samplers.additive.kernel import Kernel
from isoflop.planning.samplers.column import Floats


@dataclass(frozen=True)
class Posterior:
    """The process of a kernel, given values at rows (Rasmussen & Williams 2006, algorithm 2.1)."""

    kernel: Kernel
    rows: Floats
    values: Floats

    @cached_property
    def means(self) -> Floats:
        """The expected true values at the rows themselves."""
        return self._gram @ self._weights

    @cached_property
    def _gram(self) -> Floats:
        return self.kernel.gram(self.rows, self.rows)

    @cached_property
    def _lower(self) -> Floats:
        gram = self._gram.copy()
        gram[np.diag_indices_from(gram)] += self.kernel.noise + JITTER
        return cholesky(gram, lower=True, overwrite_a=True, check_finite=False)

    @cached_property
    def _weights(self) -> Floats:
        half = solve_triangular(self._lower, self.values, lower=True, check_finite=False)
        return solve_triangular(self._lower, half, lower=True, trans=1, check_finite=False)

    def mean(self, rows: Floats) -> Floats:
        """The expected true values at rows."""
        return self.kernel.gram(rows, self.rows) @ self._weights

    def at(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the true values at rows."""
        gram = self.kernel.gram(rows, self.rows)
        half = solve_triangular(self._lower, gram.T, lower=True, check_finite=False)
        variance = self.kernel.variance - np.einsum("ij,ij->j", half, half)
        return gram @ self._weights, np.sqrt(np.maximum(variance, 1e-12))

    def believing(self, rows: Floats) -> Posterior:
        """As if what it expects had been observed at these rows (Ginsbourger et al. 2010, the kriging believer)."""
        if not len(rows):
            return self
        values = np.concatenate([self.values, self.mean(rows)])
        return Posterior(self.kernel, np.concatenate([self.rows, rows]), values)
