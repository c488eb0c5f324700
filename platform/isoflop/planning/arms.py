"""Which trials of a search are its control arm: drawn at random, so that it can be told what the sampler earns."""

from __future__ import annotations

import math
from dataclasses import dataclass

SLACK = 1e-9
"""Of products of a share, so that 100 trials with a control arm of 0.29 have 29 of it."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of a search: functions of a trial's number and the share alone, so that any plan finds the same."""

    share: float = 0.0
    """Share of the trials that the control arm has; of any run of them, rounded down or up."""

    def control(self, number: int) -> bool:
        """Whether a trial belongs to the control arm; the last ones of every so many do (Bresenham's rule)."""
        return self._before(number + 1) > self._before(number)

    def place(self, number: int) -> int:
        """A trial's number within its own arm, from 0."""
        before = self._before(number)
        return before if self.control(number) else number - before

    def _before(self, number: int) -> int:
        """How many of the trials below a number belong to the control arm."""
        return math.floor(number * self.share + SLACK)
