"""How a family's FLOPs grow with each dimension around a base, counted: never taken for 1, 2 and 2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import linear_regression

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.scaling.extent import BASE, DIMENSIONS, Count, Dimension, Extent, Logs
from isoflop.scaling.limits import WIDEST, smallest, stem_of

FACTORS = (0.5, 0.5**0.5, 2**0.5, 2.0)
"""What each dimension is multiplied by around the base: far enough that rounding to layers and channels fades."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponents:
    """d log FLOPs / d log of counted depth, width and resolution; none where a dimension cannot vary."""

    depth: float | None
    width: float | None
    resolution: float | None
    spread: Logs = BASE
    """By how much counted log FLOPs stand off these power laws, as the root of the mean square: small maps are rounded
    up in every stage, so that FLOPs may rise with resolution in stairs."""

    def of(self, dimension: Dimension) -> float | None:
        """The one of a dimension."""
        found: float | None = getattr(self, dimension)
        return found

    @property
    def free(self) -> tuple[Dimension, ...]:
        """The dimensions that can vary."""
        return tuple(name for name in DIMENSIONS if self.of(name) is not None)

    def flops(self, place: Logs) -> float:
        """Natural logarithm of the FLOPs at a place over the base's, as far as these exponents reach."""
        return sum((self.of(name) or 0.0) * place.of(name) for name in DIMENSIONS)


def exponents(base: ModelConfig, count: Count) -> Exponents:
    """Count nets around a base and fit a line for each dimension; `base` says its resolution and no phi.

    Shapes that cannot be are left out. Raises `SpecError` where the base cannot be.
    """
    middle = count(base)
    depth, width, resolution = (_slope(name, base, middle, count) for name in DIMENSIONS)
    return Exponents(
        depth=depth[0], width=width[0], resolution=resolution[0], spread=Logs(depth[1], width[1], resolution[1])
    )


def _slope(dimension: Dimension, base: ModelConfig, middle: Extent, count: Count) -> tuple[float | None, float]:
    """The slope of a line through nets that differ in a dimension, and how far they stand off it."""
    found = {0.0: 0.0}
    for model in _around(dimension, base, middle):
        try:
            extent = count(model)
        except SpecError:
            continue
        found[extent.over(middle).of(dimension)] = math.log(extent.times(middle))
    if len(found) == 1:
        return None, 0.0
    line = linear_regression([*found], [*found.values()])
    off = [flops - line.slope * size - line.intercept for size, flops in found.items()]
    return line.slope, math.hypot(*off) / math.sqrt(len(off))


def _around(dimension: Dimension, base: ModelConfig, middle: Extent) -> Iterator[ModelConfig]:
    stem = stem_of(base)
    least = smallest(base.family, stem)
    for factor in FACTORS:
        if dimension == "resolution":
            side = min(max(stem * round(middle.resolution * factor / stem), least), WIDEST)
            yield base.model_copy(update={"resolution": side})
        else:
            yield base.model_copy(update={dimension: getattr(base, dimension) * factor})
