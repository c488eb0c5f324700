"""Depth, width and resolution as they are counted on the net that is built."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

from isoflop.config import ModelConfig

Dimension: TypeAlias = Literal["depth", "width", "resolution"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)


class Logs(NamedTuple):
    """Natural logarithms of depth, width and resolution over a base's: a row of an array (n, 3)."""

    depth: float
    width: float
    resolution: float

    def of(self, dimension: Dimension) -> float:
        """The one of a dimension."""
        return float(getattr(self, dimension))

    def distance(self, other: Logs) -> float:
        """How far another place is."""
        return math.dist(self, other)


BASE = Logs(0.0, 0.0, 0.0)
"""Where a base stands, seen from itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """What a built net has, after depth was rounded stage by stage and width to a divisor.

    Only ratios of two nets of one family mean something: what counts as a layer differs from family to family.
    """

    depth: float
    """Layers with weights on the longest path through the body (`models/counting/depth.py`)."""
    width: float
    """Geometric mean of the stages' channels (`models/counting/width.py`)."""
    resolution: float
    """Pixels of a side."""
    flops: float
    """FLOPs of one image's forward pass."""

    def over(self, base: Extent) -> Logs:
        """Where this net stands, seen from a base."""
        return Logs(*(math.log(getattr(self, name) / getattr(base, name)) for name in DIMENSIONS))

    def times(self, base: Extent) -> float:
        """FLOPs as a multiple of a base's."""
        return self.flops / base.flops

    def doublings(self, base: Extent) -> float:
        """How often FLOPs double from a base's: the phi at which this net stands."""
        return math.log2(self.times(base))


Count: TypeAlias = Callable[[ModelConfig], Extent]
"""Counts a configuration. Raises `SpecError` for a shape that cannot be."""
