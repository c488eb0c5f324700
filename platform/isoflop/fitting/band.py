"""A number with a band, and the curves that predict them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A value and where the true one lies at the level asked; infinite ends where the data do not bound it."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the ends are apart."""
        return self.high - self.low

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def holds(self, value: float) -> bool:
        """Whether a value lies in it; NaN never does."""
        return self.low <= value <= self.high

    def clipped(self, low: float, high: float) -> Self:
        """The same within limits."""
        value, lower, upper = (min(max(number, low), high) for number in (self.value, self.low, self.high))
        return type(self)(value=value, low=lower, high=upper)

    def minus(self, other: Band) -> Band:
        """The difference of two values that were found apart, at the level of both.

        Bands need not be symmetric: the squares of what each may give way are added (MOVER: Zou & Donner 2008,
        Statistics in Medicine 27).
        """
        value = self.value - other.value
        down = math.hypot(self.value - self.low, other.high - other.value)
        up = math.hypot(self.high - self.value, other.value - other.low)
        return Band(value=value, low=value - down, high=value + up)


class Curve(Protocol):
    """Something that predicts an error, or another measure, at every x > 0 (FLOPs, a share of the data)."""

    def predict(self, x: float, seeds: int | None = None) -> Band:
        """The mean at x, or with `seeds` the mean of so many new trainings there."""
        ...
