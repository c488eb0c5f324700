"""One dimension of a space as numbers, and moves along it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.families import Scalar
from isoflop.space import Choice, Dimension, Int

Floats: TypeAlias = npt.NDArray[np.float64]

FINE = 1024
"""Values of a range up to which its numbers are the places of the values themselves."""
STEPS = (0.01, 0.3)
"""Least and greatest spread of a step along a range, as a share of it."""


@dataclass(frozen=True)
class Column:
    """The index of an option, or a place in [0, 1] on a range, in the logarithm where the range is logarithmic.

    A choice among three or more numbers that enables nothing is a range of them, evenly spaced: batches of 16, 32 and
    64 are in an order.
    """

    dimension: Dimension

    @cached_property
    def options(self) -> int:
        """Options of a choice, 0 for a range."""
        return len(self.dimension.options) if isinstance(self.dimension, Choice) and not self.ordered else 0

    @cached_property
    def ordered(self) -> list[float]:
        """The numbers of a choice that is a range, ascending."""
        if not isinstance(self.dimension, Choice) or len(self.dimension.options) < 3 or self.dimension.enables:
            return []
        numbers = [v for v in self.dimension.values if isinstance(v, (int, float)) and not isinstance(v, bool)]
        return sorted(numbers) if len(numbers) == len(self.dimension.options) else []

    @cached_property
    def levels(self) -> Floats | None:
        """The places of a range's values, ascending; none where there are too many to list."""
        dimension = self.dimension
        if self.ordered:
            return np.linspace(0.0, 1.0, len(self.ordered))
        if isinstance(dimension, Choice) or dimension.size is None or dimension.size > FINE:
            return None
        if isinstance(dimension, Int):
            return np.array([self.place(dimension.low + step * dimension.step) for step in range(dimension.size)])
        return np.array([self.place(dimension.at(step)) for step in range(dimension.size)])

    @cached_property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        dimension = self.dimension
        return len(dimension.options) > 1 if isinstance(dimension, Choice) else dimension.low < dimension.high

    def place(self, value: Scalar) -> float:
        """The number that stands for a value."""
        dimension = self.dimension
        if self.ordered and isinstance(value, (int, float)):
            return self.ordered.index(value) / (len(self.ordered) - 1)
        if isinstance(dimension, Choice):
            return float(dimension.values.index(value))
        assert isinstance(value, (int, float)), "a value of another dimension"
        if dimension.high == dimension.low:
            return 0.0
        if dimension.log:
            return math.log(value / dimension.low) / math.log(dimension.high / dimension.low)
        return (value - dimension.low) / (dimension.high - dimension.low)

    def value(self, place: float) -> Scalar:
        """The value that a number stands for."""
        dimension = self.dimension
        if self.ordered:
            return self.ordered[round(place * (len(self.ordered) - 1))]
        if isinstance(dimension, Choice):
            return dimension.values[int(place)]
        if dimension.log:
            return dimension.nearest(dimension.low * (dimension.high / dimension.low) ** place)
        return dimension.nearest(dimension.low + place * (dimension.high - dimension.low))

    def draw(self, chance: np.random.Generator, size: int) -> Floats:
        """So many numbers at random."""
        if self.options:
            return chance.integers(self.options, size=size).astype(np.float64)
        if self.levels is None or (not isinstance(self.dimension, Choice) and self.dimension.log):
            return self.snap(chance.random(size))
        return self.levels[chance.integers(len(self.levels), size=size)]

    def snap(self, places: Floats) -> Floats:
        """The nearest numbers that stand for a value."""
        if self.levels is None:
            return np.clip(places, 0.0, 1.0)
        return self.levels[np.searchsorted((self.levels[1:] + self.levels[:-1]) / 2, places)]

    def move(self, chance: np.random.Generator, places: Floats) -> Floats:
        """Another number for each: another option, or a step of random length, to a neighbouring value at least."""
        size = len(places)
        if not self.varies:
            return places
        if self.options:
            return (places + chance.integers(1, self.options, size=size)) % self.options
        spread = np.exp(chance.uniform(math.log(STEPS[0]), math.log(STEPS[1]), size=size))
        moved = self.snap(_reflected(places + spread * chance.standard_normal(size)))
        if self.levels is None:
            return moved
        last = len(self.levels) - 1
        here = np.searchsorted(self.levels, places - 1e-12)
        side = np.where(chance.random(size) < 0.5, -1, 1)
        side = np.where(here == 0, 1, np.where(here == last, -1, side))
        return np.where(moved == places, self.levels[np.clip(here + side, 0, last)], moved)


def _reflected(places: Floats) -> Floats:
    """Thrown back at both ends of [0, 1]."""
    folded = np.abs(places) % 2.0
    return np.where(folded > 1.0, 2.0 - folded, folded)
