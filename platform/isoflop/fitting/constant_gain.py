"""The baseline of a prediction: each doubling of compute goes on to earn what the last ones earned on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.errors import Fault, SpecError
from isoflop.fitting.band import Band
from isoflop.fitting.sizes import take_sizes
from isoflop.statistics import quantile

LAST = 3
"""Sizes that are looked at: two half steps between three sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstantGain:
    """A straight line of the error over log FLOPs, with the band of simple linear regression.

    Its noise is that of seeds, pooled over all sizes; it knows no misfit, for three sizes show none.
    """

    middle: float
    """Mean log FLOPs of the last sizes."""
    height: float
    """Error there."""
    slope: float
    """Error a unit of log FLOPs, natural logarithm; below 0 where it falls."""
    variance: float
    """Between seeds of one size."""
    freedom: int
    height_share: float
    """Variance of the height over that of a seed."""
    slope_share: float
    """Variance of the slope over that of a seed."""
    level: float

    def predict(self, x: float, seeds: int | None = None) -> Band:
        """The mean error at x FLOPs, or with `seeds` the mean of so many new trainings there; never below 0."""
        away = math.log(x) - self.middle
        share = self.height_share + self.slope_share * away**2 + (1 / seeds if seeds else 0.0)
        half = quantile(self.level, self.freedom) * math.sqrt(self.variance * share)
        value = self.height + self.slope * away
        return Band(value=value, low=value - half, high=value + half).clipped(0.0, math.inf)


def fit_constant_gain(
    flops: Sequence[float], errors: Sequence[Sequence[float]], *, level: float = 0.95, last: int = LAST
) -> ConstantGain:
    """The line through the last sizes' errors, with one error a seed for each size.

    Errors that are not finite are left out. Raises `SpecError` where sizes or seeds are too few.
    """
    if last < 2:
        raise SpecError(Fault("last", f"{last} sizes make no line", "give 2 or more"))
    sizes = take_sizes(flops, errors, least=last, freedom=1)
    x, weights, means = np.log(sizes.x[-last:]), sizes.seeds[-last:], sizes.means[-last:]
    middle, height = float(np.average(x, weights=weights)), float(np.average(means, weights=weights))
    spread = float(weights @ (x - middle) ** 2)
    return ConstantGain(
        middle=middle,
        height=height,
        slope=float(weights @ ((x - middle) * (means - height))) / spread,
        variance=sizes.variance,
        freedom=sizes.freedom,
        height_share=1 / float(weights.sum()),
        slope_share=1 / spread,
        level=level,
    )
