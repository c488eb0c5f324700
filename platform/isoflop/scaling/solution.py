"""The legal shape nearest to a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

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


def solve(cost: Callable[[ModelConfig], float], target: float, *, vary: Vary, model: ModelConfig) -> Solution:
    """Vary one of depth, width and resolution, or all together by phi, until the cost is nearest to a target.

    `cost` counts or measures whatever there is a budget of (FLOPs, parameters, milliseconds) and must not fall as the
    shape grows; it is asked about 20 times. What does not vary is `model`'s. Raises `SpecError` where a shape that is
    looked at cannot be.
    """
    return turn(dial_of(vary, model), cost, target)


def turn(dial: Dial, cost: Callable[[ModelConfig], float], target: float) -> Solution:
    """Turn a dial until the cost is nearest to a target. Raises `SpecError` as `solve` does."""
    counted = cache(lambda place: cost(dial.model(place)))
    low = high = dial.start
    if counted(low) < target:
        while counted(high) < target and (above := dial.beyond(high, +1)) is not None:
            low, high = high, above
    else:
        while counted(low) > target and (below := dial.beyond(low, -1)) is not None:
            low, high = below, low
    while (middle := dial.between(low, high)) is not None:
        low, high = (middle, high) if counted(middle) <= target else (low, middle)
    best = min((low, high), key=lambda place: abs(counted(place) - target))
    return Solution(model=dial.model(best), cost=counted(best), target=target)
