"""The legal shape nearest to a budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count

from isoflop.config import ModelConfig
from isoflop.scaling.dial import Dial, Vary, dial_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """The legal shape nearest to a budget."""

    model: ModelConfig
    cost: float
    target: float

    @property
    def residual(self) -> float:
        """By which share the cost is above the target, below it where negative."""
        return self.cost / self.target - 1


def solve(
    cost: Callable[[ModelConfig], float], target: float, *, vary: Vary, model: ModelConfig, near: float = 0.0
) -> Solution:
    """Vary one of depth, width and resolution, or all together by phi, until the cost is nearest to a target.

    `cost` counts or measures whatever there is a budget of (FLOPs, parameters, milliseconds) and must not fall as the
    shape grows; it is asked about 15 times, or until it is as `near` the target as this share of it. What does not vary
    is `model`'s, and what does is looked for from there on. Raises `SpecError` where a shape that is looked at cannot
    be.
    """
    return turn(dial_of(vary, model), cost, target, near=near)


def turn(dial: Dial, cost: Callable[[ModelConfig], float], target: float, *, near: float = 0.0) -> Solution:
    """Turn a dial until the cost is nearest to a target. Raises `SpecError` as `solve` does."""
    counted = cache(lambda place: cost(dial.model(place)))
    low = high = dial.start
    if counted(low) < target:
        while counted(high) < target and (above := dial.beyond(high, +1)) is not None:
            low, high = high, above
    else:
        while counted(low) > target and (below := dial.beyond(low, -1)) is not None:
            low, high = below, low
    for step in count():
        best = min((low, high), key=lambda place: abs(counted(place) - target))
        if high - low < 2 or abs(counted(best) - target) <= near * target:
            break
        # Costs climb in stairs, along which a line between two of them may creep: every other step halves.
        share = 0.5 if step % 2 else _share(counted(low) / target, counted(high) / target)
        middle = min(max(round(low + share * (high - low)), low + 1), high - 1)
        low, high = (middle, high) if counted(middle) <= target else (low, middle)
    return Solution(model=dial.model(best), cost=counted(best), target=target)


def _share(low: float, high: float) -> float:
    """How far from a lower cost to a higher one 1 lies, were their logarithms on a line."""
    return math.log(low) / math.log(low / high) if 0 < low < high else 0.5
