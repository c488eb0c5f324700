"""Every power law that data allow: which ones there are, how well each fits, and which are within reach.

The sum of squares has a long curved valley where exponent and offset make up for each other. So its ridge is followed,
the best slope at every steepness, and laws are laid to both sides of it: a plain grid would miss a narrow valley.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isoflop.fitting.band import Floats
from isoflop.fitting.sizes import Sizes

STEEPEST, FLATTEST = 2.0, 1e-4
"""Exponents that are considered. Those measured of image models lie below 0.6; at the flattest, a thousandfold compute
earns 0.07 % of the error."""
STEPS = 48
ACROSS = np.linspace(-1, 1, 21)
NARROW, ASIDE = 1e-7, 1e-3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Laws:
    """Laws, one a place of every array, by their log slope in the middle of the data and their steepness.

    Slope u = b (1 - s), where s is the share of c in the middle, is what the data tell; b = u (STEEPEST / u)^t with t
    in [0, 1] goes from no offset to the most, and is what they may not tell.
    """

    slope: Floats
    steepness: Floats

    @property
    def b(self) -> Floats:
        """Exponents."""
        return self.slope * (STEEPEST / self.slope) ** self.steepness

    @property
    def share(self) -> Floats:
        """Shares of c in the middle."""
        return 1 - self.slope / self.b

    def shape(self, x: Floats) -> Floats:
        """Log error over that of the middle at every x = log(C / middle): (laws, x)."""
        share, b = self.share[:, None], self.b[:, None]
        return np.log(share + (1 - share) * np.exp(-b * x[None]))

    def at(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Laws:
        """Those that a mask or places pick."""
        return Laws(slope=self.slope[chosen], steepness=self.steepness[chosen])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Weighted:
    """Weighted mean log errors of sizes."""

    x: Floats
    means: Floats
    weights: Floats

    @classmethod
    def of(cls, x: Floats, sizes: Sizes, weights: Sequence[Floats]) -> Weighted:
        """The means of each size's seeds."""
        means = [float(np.average(row, weights=w)) for row, w in zip(sizes.values, weights, strict=True)]
        return cls(x=x, means=np.array(means), weights=np.array([w.sum() for w in weights]))

    @property
    def weight(self) -> float:
        """Of all."""
        return float(self.weights.sum())

    def heights(self, laws: Laws) -> Floats:
        """The log error in the middle with which each law fits best."""
        return np.asarray((self.means - laws.shape(self.x)) @ self.weights / self.weight)

    def squares(self, laws: Laws) -> Floats:
        """Sum of squares that each law leaves at its best height."""
        left = self.means - laws.shape(self.x)
        left -= (left @ self.weights / self.weight)[:, None]
        return np.asarray(left**2 @ self.weights)


def ridge_of(data: Weighted, steepness: Floats) -> Laws:
    """The law with the least sum of squares at each steepness, its slope searched for in ever finer steps."""
    low, high = math.log(FLATTEST), math.log(STEEPEST)
    slopes = np.full(len(steepness), (low + high) / 2)
    half = (high - low) / 2
    while half > NARROW:
        tried = np.clip(slopes[:, None] + half * ACROSS, low, high)
        squares = data.squares(_crossed(tried, steepness)).reshape(tried.shape)
        slopes = np.take_along_axis(tried, squares.argmin(axis=1)[:, None], axis=1)[:, 0]
        half *= 3 / len(ACROSS)
    return Laws(slope=np.exp(slopes), steepness=steepness)


def within(data: Weighted, best: Laws, most: float) -> tuple[Laws, Floats]:
    """Laws whose sum of squares is no more than `most`, the best first, and by how much each is below."""
    low, high = 0.0, 1.0
    for _ in range(2):  # the second time more finely, over the steepnesses that are possible
        step = (high - low) / (STEPS - 1)
        ridge = ridge_of(data, np.linspace(low, high, STEPS))
        kept = np.append(ridge.steepness[data.squares(ridge) <= most], best.steepness)
        low, high = max(float(kept.min()) - step, low), min(float(kept.max()) + step, high)
    ridge = ridge_of(data, np.linspace(low, high, STEPS))
    laws = _joined(best, _across(data, ridge, most))
    room = most - data.squares(laws)
    possible = room >= 0
    return laws.at(possible), room[possible]


def _across(data: Weighted, ridge: Laws, most: float) -> Laws:
    """Laws to both sides of a ridge, as far as the sum of squares may take them."""
    room = most - data.squares(ridge)
    ridge, room = ridge.at(room >= 0), room[room >= 0]
    slopes = np.log(ridge.slope)
    aside = Laws(slope=ridge.slope * math.exp(-ASIDE), steepness=ridge.steepness)
    curvature = (data.squares(aside) - most + room) / ASIDE**2
    half = np.sqrt(room / np.maximum(curvature, 1e-12))
    tried = np.clip(slopes[:, None] + 1.25 * half[:, None] * ACROSS, math.log(FLATTEST), math.log(STEEPEST))
    return _crossed(tried, ridge.steepness)


def _crossed(slopes: Floats, steepness: Floats) -> Laws:
    """Laws of several log slopes at each steepness."""
    return Laws(slope=np.exp(slopes.ravel()), steepness=np.repeat(steepness, slopes.shape[1]))


def _joined(first: Laws, then: Laws) -> Laws:
    """Laws one after another."""
    return Laws(slope=np.append(first.slope, then.slope), steepness=np.append(first.steepness, then.steepness))
