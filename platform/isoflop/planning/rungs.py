"""Where trials may be stopped: the rungs of a study and the bracket that a trial belongs to.

Rungs are reports. All brackets end at the horizon; a bracket of Hyperband begins at a later rung than the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from isoflop.planning.arms import Arms
from isoflop.study_spec import Halving, StudySpec


@dataclass(frozen=True, kw_only=True)
class Rungs:
    """The rungs of a study, by bracket."""

    brackets: Sequence[tuple[int, ...]]
    """Of each bracket, the reports at which its trials may be stopped, ascending, all below the horizon."""
    shares: Sequence[int]
    """Of each bracket, how many trials of a round belong to it."""
    horizon: int
    arms: Arms

    @classmethod
    def of(cls, spec: StudySpec) -> Self:
        """The rungs of a spec."""
        horizon, halving, arms = spec.fidelity.reports, spec.halving, Arms(spec.control)
        if halving is None:
            return cls(brackets=[()], shares=[1], horizon=horizon, arms=arms)
        if halving.name == "median":
            return cls(brackets=[tuple(range(spec.rungs[0], horizon))], shares=[1], horizon=horizon, arms=arms)
        brackets = [spec.rungs[k:] for k in range(len(spec.rungs) + 1 if halving.name == "hyperband" else 1)]
        return cls(brackets=brackets, shares=_shares(halving, len(brackets)), horizon=horizon, arms=arms)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Every rung and the horizon, ascending: how far a trial can be known to have come."""
        return (*self.brackets[0], self.horizon)

    @cached_property
    def _round(self) -> tuple[int, ...]:
        """The brackets of a round of trials, each spread evenly over it (Bresenham's rule)."""
        total = sum(self.shares)
        debt = [0] * len(self.shares)
        order = []
        for _ in range(total):
            debt = [owed + share for owed, share in zip(debt, self.shares, strict=True)]
            bracket = max(range(len(debt)), key=lambda b: (debt[b], -b))
            debt[bracket] -= total
            order.append(bracket)
        return tuple(order)

    def bracket(self, number: int) -> int:
        """The bracket of a trial: a function of its number within its arm, so that each arm has all brackets."""
        return self._round[self.arms.place(number) % len(self._round)]

    def group(self, number: int) -> tuple[bool, int]:
        """With which others a trial is compared: those of its own arm and bracket."""
        return self.arms.control(number), self.bracket(number)

    def rungs(self, number: int) -> tuple[int, ...]:
        """The reports at which a trial may be stopped."""
        return self.brackets[self.bracket(number)]


def _shares(halving: Halving, brackets: int) -> list[int]:
    """How many trials each bracket gets, so that all spend about the same (Li et al. 2018, section 3)."""
    most = brackets - 1
    return [-(-(most + 1) * halving.eta ** (most - k) // (most - k + 1)) for k in range(brackets)]
