"""A number that was fitted, with its interval, or the reason why the data do not tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A fitted number between the ends of its interval; all three are None where the data do not determine it."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""
    """Why it is undetermined."""

    @classmethod
    def unknown(cls, why: str) -> Self:
        """No number, with the reason."""
        return cls(why=why)

    @property
    def determined(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    def map(self, change: Callable[[float], float]) -> Estimate:
        """The same estimate in other units; `change` must rise."""
        if self.value is None or self.low is None or self.high is None:
            return self
        return Estimate(value=change(self.value), low=change(self.low), high=change(self.high))

    def holds(self, truth: float) -> bool:
        """Whether the interval holds a number; one that is not there excludes none."""
        return self.low is None or self.high is None or self.low <= truth <= self.high

    def report(self) -> dict[str, object]:
        """As JSON has it."""
        return {"value": self.value, "low": self.low, "high": self.high, "determined": self.determined, "why": self.why}

    def __str__(self) -> str:
        """As people read it."""
        if self.value is None:
            return f"undetermined ({self.why})"
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"
