"""Scores as a model reads them."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from isoflop.planning.samplers.column import Floats

REST = 0.05
"""Weight of the sum beside the worst objective (Knowles 2006)."""


def warped(values: Floats) -> Floats:
    """Values of mean 0 and variance 1 whose lower half is bent to a normal's.

    Below the median only the order counts: how bad a bad trial is says little of where good ones are, and accuracies
    have long tails there (half-rank warping; Song et al. 2024, The Vizier Gaussian process bandit algorithm, arXiv
    2408.11527). The upper half keeps its distances.
    """
    if not len(values):
        return values
    median = float(np.median(values))
    low, bent = values < median, values - median
    spread = float(np.sqrt(np.mean(bent[~low] ** 2))) or 1.0
    bent[low] = spread * ndtri((rankdata(values)[low] - 0.5) / len(values))
    deviation = float(bent.std())
    found: Floats = (bent - bent.mean()) / (deviation if deviation > 1e-12 else 1.0)
    return found


def scalar(values: Floats, weights: Floats) -> Floats:
    """Several objectives as one: the augmented Chebyshev function (Knowles 2006, ParEGO, IEEE TEC 10(1)).

    `values` is (trials, objectives), more being better; `weights` is (objectives,) and sums to 1. Each objective is
    warped, then moved into [0, 1]; the worst of the weighted losses counts, and a little of their sum.
    """
    if values.shape[1] == 1:
        return warped(values[:, 0])
    columns = np.column_stack([warped(column) for column in values.T])
    span = np.ptp(columns, axis=0)
    losses = weights * (columns.max(axis=0) - columns) / np.where(span > 0, span, 1.0)
    return warped(-(losses.max(axis=1) + REST * losses.sum(axis=1)))
