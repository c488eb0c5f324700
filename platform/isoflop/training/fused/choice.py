"""Whether trainings are faster as one program: measured, for it depends on the net, the batch and the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from isoflop.training.fit import Fit
from isoflop.training.fused.fit import Fused


@dataclass(frozen=True, kw_only=True, slots=True)
class Speeds:
    """Steps of a member a second, all members counted."""

    members: int
    separate: float
    """One training after the other."""
    fused: float

    @property
    def gain(self) -> float:
        """How many times as fast the fused program is."""
        return self.fused / self.separate

    @property
    def better(self) -> Literal["fused", "separate"]:
        """Which to take."""
        return "fused" if self.gain > 1 else "separate"


def measure(separate: Sequence[Fit], fused: Fused, *, steps: int, warm: int = 3) -> Speeds:
    """Train so many steps both ways, after some that do not count; all of them go on from where they are.

    Looking at a loss waits for the device, and each call of `advance` ends with that, so clocks tell the truth.
    """
    for fit in separate:
        fit.advance(fit.step + warm)
    fused.advance(fused.step + warm)
    alone = sum(_seconds(fit.advance, fit.step + steps) for fit in separate)
    together = _seconds(fused.advance, fused.step + steps)
    count = steps * len(separate)
    return Speeds(members=len(separate), separate=count / alone, fused=count / together)


def _seconds(advance: Callable[[int], object], end: int) -> float:
    began = time.perf_counter()
    advance(end)
    return time.perf_counter() - began
