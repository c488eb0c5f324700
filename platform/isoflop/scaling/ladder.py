"""The depths, widths and resolutions that a family can build around a base, nearest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from isoflop.config import ModelConfig
from isoflop.scaling.dial import Dial, grid
from isoflop.scaling.extent import Count, Extent
from isoflop.scaling.limits import WIDEST, smallest, stem_of

FINE = 32
"""Steps in which depth or width doubles as rungs are looked for: nets that differ by less than 2 % are one rung."""


Rounded: TypeAlias = Literal["depth", "width"]
"""Dimensions that a family rounds in its own way."""


class Rung(NamedTuple):
    """A depth or width that can be built."""

    setting: float
    """`model.depth` or `model.width`."""
    size: float
    """What it is counted as."""


class Ladder:
    """The rungs of depth or width: both are rounded, so that many settings are one net.

    A rung stands for the setting nearest to the base's. It is counted with all else as in the base.
    """

    def __init__(self, dimension: Rounded, base: ModelConfig, count: Count) -> None:
        self._dial: Dial = grid(dimension, base, FINE)

        def counted(place: int) -> float:
            extent = count(self._dial.model(place))
            return extent.depth if dimension == "depth" else extent.width

        self._counted: Callable[[int], float] = cache(counted)

    def near(self, size: float) -> Iterator[Rung]:
        """The rungs by how near they are to a counted depth or width."""
        low, high = self._around(size)
        while low is not None or high is not None:
            down = math.inf if low is None else abs(math.log(size / self._counted(low)))
            up = math.inf if high is None else abs(math.log(self._counted(high) / size))
            if low is not None and down <= up:
                yield self._rung(low)
                low = self._past(low, -1)
            elif high is not None:
                yield self._rung(high)
                high = self._past(high, +1)

    def _around(self, size: float) -> tuple[int | None, int | None]:
        """Neighbours of which one is no larger than a size, and the other larger."""
        low = high = 0
        while self._counted(low) > size:
            if (below := self._dial.beyond(low, -1)) is None:
                return None, low
            low, high = below, low
        while self._counted(high) <= size:
            if (above := self._dial.beyond(high, +1)) is None:
                return high, None
            low, high = high, above
        while (middle := self._dial.between(low, high)) is not None:
            low, high = (middle, high) if self._counted(middle) <= size else (low, middle)
        return low, high

    def _rung(self, place: int) -> Rung:
        """The rung of a place, by the setting nearest to the base's that is the same net."""
        low = self._end(place, -1) if place > 0 else place
        high = self._end(place, +1) if place < 0 else place
        return Rung(self._dial.value(min(max(0, low), high)), self._counted(place))

    def _past(self, place: int, side: int) -> int | None:
        """A place on the next rung."""
        end = self._end(place, side) + side
        return end if self._dial.bounds[0] <= end <= self._dial.bounds[1] else None

    def _end(self, place: int, side: int) -> int:
        """The last place on a rung, towards one side."""
        here, edge, inside, outside, step = self._counted(place), self._dial.bounds[side > 0], place, place, 1
        while inside != edge and inside == outside:
            outside = max(inside - step, edge) if side < 0 else min(inside + step, edge)
            if self._counted(outside) == here:
                inside, step = outside, 2 * step
        while (middle := self._dial.between(*sorted((inside, outside)))) is not None:
            inside, outside = (middle, outside) if self._counted(middle) == here else (inside, middle)
        return inside


def resolutions(base: ModelConfig, extent: Extent, wanted: float) -> list[int]:
    """Pixels of a side that the base's stem divides, and the base's own, by how near they are to a wanted number."""
    stem = stem_of(base)
    sides = {int(extent.resolution), *range(smallest(base.family, stem), WIDEST + 1, stem)}
    return sorted(sides, key=lambda side: (abs(math.log(side / wanted)), side))
