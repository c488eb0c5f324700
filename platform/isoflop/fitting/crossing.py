"""Where two curves cross, and how sure that is: of two families over FLOPs, or over the share of training data.

The set of places at which the curves may be equal is where the interval of their difference holds 0 (as Fieller 1954,
Journal of the Royal Statistical Society B 16, does for two lines). It holds a true crossing as often as that interval
holds a true difference, and may be a range, several ranges, or open to a side: a bootstrap of crossings gives a range
even where most of its draws cross nowhere. The interval of the difference comes from both curves' own bands
(`Band.minus`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from isoflop.errors import Fault, SpecError
from isoflop.fitting.band import Band, Curve, Floats

PLACES = 121
"""Places between the ends at which the curves are compared, evenly spaced in log x."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A range of x in which the curves may be equal."""

    x: Band
    """An end is infinite where the range goes on beyond what was looked at. The value is where the fitted curves cross,
    the middle one of several, or NaN where they do not."""
    points: tuple[float, ...]
    """Every x of the range where the fitted curves cross."""
    proven: bool
    """Whether the curves do cross there: different ones are lower before and after it at the level asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossings:
    """Where two curves cross between two ends."""

    low: float
    high: float
    ranges: tuple[Crossing, ...]
    """Ascending; none where one curve is lower all the way."""
    before: int
    """Which curve is lower at the lower end: -1 the first, 1 the second, 0 not told."""
    after: int
    """The same at the upper end."""

    @property
    def none(self) -> bool:
        """Whether the curves cross nowhere between the ends."""
        return not self.ranges

    @property
    def proven(self) -> tuple[Crossing, ...]:
        """The crossings that are beyond doubt."""
        return tuple(one for one in self.ranges if one.proven)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Difference:
    """First curve minus second at ascending x, with the ends of its interval."""

    x: Floats
    values: Floats
    lows: Floats
    highs: Floats

    @classmethod
    def of(cls, first: Curve, second: Curve, x: Floats) -> Difference:
        """The difference of two curves' means."""
        found = [first.predict(at).minus(second.predict(at)) for at in map(float, x)]
        values, lows, highs = (np.array([getattr(one, name) for one in found]) for name in ("value", "low", "high"))
        return cls(x=x, values=values, lows=lows, highs=highs)

    @property
    def signs(self) -> list[int]:
        """Which is lower at each x: -1 the first, 1 the second, 0 where the interval holds 0."""
        return [int(n) for n in np.where(self.highs < 0, -1, np.where(self.lows > 0, 1, 0))]


def crossings(first: Curve, second: Curve, *, low: float, high: float) -> Crossings:
    """Where the means of two curves cross between two x, each range at the level of the curves' bands.

    Raises `SpecError` unless 0 < low < high.
    """
    if not 0 < low < high < math.inf:
        raise SpecError(Fault("range", f"{low:g} to {high:g} is no range above 0", "give the lower end first"))
    difference = Difference.of(first, second, np.geomspace(low, high, PLACES))
    signs = difference.signs
    ranges = [_range(difference, signs, start, end) for start, end in _stretches(signs)]
    return Crossings(low=low, high=high, ranges=tuple(ranges), before=signs[0], after=signs[-1])


def _stretches(signs: list[int]) -> Iterator[tuple[int, int]]:
    """First and last place of every stretch to tell a crossing of: 0s, or nothing between two that differ."""
    place = 0
    before = 0
    for sign, run in groupby(signs):
        count = len(list(run))
        if not sign:
            yield place, place + count - 1
        elif before and sign != before:
            yield place, place - 1  # both curves' bands are narrower than a step
        before, place = sign, place + count


def _range(difference: Difference, signs: list[int], start: int, end: int) -> Crossing:
    """What stands between the last place before a stretch and the first after it."""
    x, last = difference.x, len(signs) - 1
    before, after = signs[start - 1] if start else 0, signs[end + 1] if end < last else 0
    low = _edge(difference, start - 1, before) if start else -math.inf
    high = _edge(difference, end, after) if end < last else math.inf
    points = tuple(_zeros(x, difference.values, max(start - 1, 0), min(end + 1, last)))
    value = points[len(points) // 2] if points else math.nan
    return Crossing(x=Band(value=value, low=low, high=high), points=points, proven=before * after < 0)


def _edge(difference: Difference, place: int, sign: int) -> float:
    """Where between a place and the next the end of the interval that is nearer to 0 crosses it."""
    ends = difference.highs if sign < 0 else difference.lows
    return _zero(difference.x, ends, place)


def _zeros(x: Floats, values: Floats, start: int, end: int) -> Iterator[float]:
    """Where values between two places change their sign."""
    for place in range(start, end):
        if (values[place] < 0) != (values[place + 1] < 0):
            yield _zero(x, values, place)


def _zero(x: Floats, values: Floats, place: int) -> float:
    """Where a line from a place to the next is 0, in log x."""
    here, there = float(values[place]), float(values[place + 1])
    share = here / (here - there)
    return float(x[place] * (x[place + 1] / x[place]) ** min(max(share, 0.0), 1.0))
