r"""The covariance of two configurations: a product over dimensions that holds every order of interaction.

    k(x, y) = v * prod_d (1 + s_d k_d(x_d, y_d)) / (1 + s_d)

Multiplied out, this is a sum over all sets of dimensions of the products of their s_d k_d: single dimensions, pairs,
and so on up to all of them, each order weighing less where the s_d are small (the ANOVA kernel of Saunders et al. 1998;
additive Gaussian processes, Duvenaud et al. 2011, arXiv 1112.4394). With small s_d it is a linear model on options and
pairs of options, with great ones the usual product kernel. The division keeps the variance v everywhere.

k_d is, for a choice of c options, 1 where they are equal and -1 / (c - 1) where not, so that the effects of the options
sum to zero; for a range, the Matern 5/2 kernel of the distance; for a dimension that is not active in either, 1, and
that is active in one of them, 0: "not there" is a value of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.planning.samplers.column import Column, Floats

Gradient: TypeAlias = npt.NDArray[np.float64]
ROOT5 = math.sqrt(5.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kernel:
    """Its parameters, all positive."""

    columns: tuple[Column, ...]
    strength: Floats
    """s_d of each column."""
    length: Floats
    """Of each column, the distance over which a range's effect changes; without meaning for a choice."""
    variance: float
    noise: float
    """Variance of an observation around the truth."""

    def gram(self, left: Floats, right: Floats) -> Floats:
        """The covariances of rows with rows: (left, right), without noise."""
        found = np.full((len(left), len(right)), self.variance)
        for number, column in enumerate(self.columns):
            if column.varies:
                s = self.strength[number]
                # Rows that stem from one parent share most values, and what costs is the exponential.
                values, places = np.unique(left[:, number], return_inverse=True)
                base = similarity(column, values, right[:, number], self.length[number])
                base *= s / (1 + s)
                base += 1 / (1 + s)
                found *= base[places]
        return found


def similarity(column: Column, left: Floats, right: Floats, length: float) -> Floats:
    """k_d of the numbers of one column: (left, right)."""
    if column.options:
        return _labels(column.options)[np.ix_(_codes(left, column.options), _codes(right, column.options))]
    r = np.subtract.outer(left * (ROOT5 / length), right * (ROOT5 / length))
    np.abs(r, out=r)
    found = np.exp(-r)
    found *= (r / 3 + 1) * r + 1
    return _where_active(found, left, right)


def slope(places: Floats, length: float) -> Floats:
    """The derivative of a range's k_d by the logarithm of its length."""
    r = np.abs(places[:, None] - places[None, :]) * (ROOT5 / length)
    return np.nan_to_num(r * r * (1 + r) / 3 * np.exp(-r), nan=0.0)


def _where_active(found: Floats, left: Floats, right: Floats) -> Floats:
    off_left, off_right = np.isnan(left), np.isnan(right)
    if off_left.any() or off_right.any():
        found[off_left, :] = 0.0
        found[:, off_right] = 0.0
        found[np.ix_(off_left, off_right)] = 1.0
    return found


def _codes(places: Floats, options: int) -> npt.NDArray[np.intp]:
    """Indices of options, one more for "not active"."""
    return np.where(np.isnan(places), options, places).astype(np.intp)


def _labels(options: int) -> Floats:
    """k_d of each option with each, the last standing for "not active"."""
    found = np.zeros((options + 1, options + 1))
    found[:options, :options] = -1.0 / max(options - 1, 1)
    np.fill_diagonal(found, 1.0)
    return found
