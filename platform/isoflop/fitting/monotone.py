"""A falling curve through errors of several sizes, with no form of its own: errors over the share of training data.

Log errors are made falling by isotonic regression (Barlow et al. 1972, Statistical inference under order restrictions)
and joined by straight lines over log x, which is what a power law is between two sizes. The band is that of the joined
means: Student's t with the seeds' variance pooled over sizes. Making them fall moves means that chance has put out of
order towards each other, which lessens their variance, so the band is no narrower than it says where the truth falls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from isoflop.errors import Fault, SpecError
from isoflop.fitting.band import Band, Floats
from isoflop.fitting.sizes import take_sizes
from isoflop.statistics import quantile


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Monotone:
    """A fitted falling curve."""

    x: Floats
    """log of the sizes, ascending."""
    heights: Floats
    """Log errors, never rising."""
    seeds: Floats
    """How many each size has."""
    variance: float
    """Of a seed's log error."""
    freedom: int
    level: float

    def predict(self, x: float, seeds: int | None = None) -> Band:
        """The mean error at x, or with `seeds` the mean of so many new trainings there.

        Raises `SpecError` outside the sizes: without a form there is nothing to go by.
        """
        at = math.log(x)
        slack = 1e-9  # a size that went through a logarithm and back is still inside
        if not self.x[0] - slack <= at <= self.x[-1] + slack:
            what = f"{x:g} lies outside {math.exp(self.x[0]):g} to {math.exp(self.x[-1]):g}"
            raise SpecError(Fault("x", what, "train there"))
        # weights of the sizes in the value at x: all 0 but those of its two neighbours
        shares = np.array([np.interp(at, self.x, row) for row in np.eye(len(self.x))])
        height = float(shares @ self.heights)
        share = float((shares**2 / self.seeds).sum()) + (1 / seeds if seeds else 0.0)
        half = quantile(self.level, self.freedom) * math.sqrt(self.variance * share)
        return Band(value=math.exp(height), low=math.exp(height - half), high=math.exp(height + half))


def fit_monotone(
    x: Sequence[float], errors: Sequence[Sequence[float]], *, level: float = 0.95, floor: float = 0.0
) -> Monotone:
    """The falling curve of errors at several x, with one error a seed for each.

    Errors that are not finite are left out. `floor` is the error that those below it count as, for 0 has no logarithm.
    Raises `SpecError` where fewer than two sizes or too few seeds are left, or an error is 0 without a floor.
    """
    sizes = take_sizes(x, errors, least=2, freedom=2, floor=floor).log()
    fitted = optimize.isotonic_regression(sizes.means, weights=sizes.seeds, increasing=False)
    return Monotone(
        x=np.log(sizes.x),
        heights=np.asarray(fitted.x),
        seeds=sizes.seeds,
        variance=sizes.variance,
        freedom=sizes.freedom,
        level=level,
    )
