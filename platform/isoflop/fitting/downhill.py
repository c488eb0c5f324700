"""Where the error falls among shapes that do not tell where it is least.

The way of steepest descent of Box & Wilson 1951 (Journal of the Royal Statistical Society B 13): where a bowl's bottom
is not told, but a slope is, the best that is known lies down that slope, and no further than was tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.coordinates import Coordinates
from isoflop.fitting.direction import SMALL, Direction
from isoflop.fitting.exponents import NAMES
from isoflop.fitting.surface import Surface
from isoflop.statistics import Floats

EDGE = 0.9
"""Quantile of the shapes' places along a slope that counts as how far they reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Downhill:
    """A step at equal FLOPs to where the error is less, from the base's proportions."""

    across: Floats
    """The step in iso-FLOP coordinates, (q,)."""
    logs: Floats
    """The same in the logs of depth, width and resolution, (3,)."""

    def __str__(self) -> str:
        """Such as `with less depth and more width`."""
        parts = self.logs / np.linalg.norm(self.logs)
        named = (
            f"{'more' if x > 0 else 'less'} {name}" for name, x in zip(NAMES, parts, strict=True) if abs(x) > SMALL
        )
        return f"with {' and '.join(named)}"

    def report(self) -> dict[str, float]:
        """As JSON has it: multipliers of the base's depth, width and resolution."""
        return {name: float(factor) for name, factor in zip(NAMES, np.exp(self.logs), strict=True)}


def downhill(
    fitted: Surface, coordinates: Coordinates, off: Floats, directions: Sequence[Direction]
) -> Downhill | None:
    """Down the slopes that are told in directions whose best place is not; none where there is no such slope.

    As far as the fitted surface has its bottom that way, where it has one, but no further than the shapes reach: `off`
    (shapes, q) is how far each stands off a balanced line.
    """
    if fitted.through_base:
        return None
    slope = sum((-_told(one) * one.across for one in directions if not one.determined), np.zeros(fitted.q))
    if not slope.any():
        return None
    steepness = float(np.linalg.norm(slope))
    step = slope / steepness
    edge = max(0.0, float(np.quantile(off @ step, EDGE)))
    curvature = float(step @ fitted.hessian @ step)
    bottom = steepness / curvature if curvature > 0 else math.inf
    across = step * min(edge, bottom)
    return Downhill(across=across, logs=coordinates.join(0.0, across))


def _told(one: Direction) -> float:
    """A direction's slope; 0 where its interval holds 0."""
    value, low, high = one.slope.value, one.slope.low, one.slope.high
    if value is None or low is None or high is None or low <= 0 <= high:
        return 0.0
    return value
