"""How a family's FLOPs grow with each dimension around a base, counted: never taken for 1, 2 and 2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import linear_regression

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.scaling.extent import DIMENSIONS, Count, Dimension, Extent, Logs
from isoflop.scaling.limits import WIDEST, smallest, stem_of

FACTORS = (0.5, 0.5**0.5, 2**0.5, 2.0)
"""What each dimension is multiplied by around the base: far enough that rounding to layers and channels fades."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponents:
    """d log FLOPs / d log of counted depth, width and resolution; none where a dimension cannot vary."""

    depth: float | None
    width: float | None
    resolution: float | None

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
    return Exponents(**{name: _slope(name, base, middle, count) for name in DIMENSIONS})


def _slope(dimension: Dimension, base: ModelConfig, middle: Extent, count: Count) -> float | None:
    found = {0.0: 0.0}
    for model in _around(dimension, base, middle):
        try:
            extent = count(model)
        except SpecError:
            continue
        found[extent.over(middle).of(dimension)] = math.log(extent.times(middle))
    return linear_regression([*found], [*found.values()]).slope if len(found) > 1 else None


def _around(dimension: Dimension, base: ModelConfig, middle: Extent) -> Iterator[ModelConfig]:
    stem = stem_of(base)
    least = smallest(base.family, stem)
    for factor in FACTORS:
        if dimension == "resolution":
            side = min(max(stem * round(middle.resolution * factor / stem), least), WIDEST)
            yield base.model_copy(update={"resolution": side})
        else:
            yield base.model_copy(update={dimension: getattr(base, dimension) * factor})
