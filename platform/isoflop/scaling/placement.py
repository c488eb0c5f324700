"""A net that was solved for FLOPs, and where it should have stood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoflop.config import ModelConfig
from isoflop.scaling.extent import DIMENSIONS, Extent, Logs

TOLERANCE = 0.05
"""Share of the FLOPs by which a solved net may miss its target before its neighbours are tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """The net that can be built nearest to a wanted place at wanted FLOPs."""

    model: ModelConfig
    extent: Extent
    target: float
    """FLOPs that were wanted."""
    wanted: Logs
    """Where it should stand, seen from the base."""
    found: Logs
    """Where it stands, seen from the base."""

    @property
    def residual(self) -> float:
        """By which share the counted FLOPs are above the target, below it where negative."""
        return self.extent.flops / self.target - 1

    @property
    def missed(self) -> Logs:
        """How far it stands from where it should, by dimension."""
        return Logs(*(here - there for here, there in zip(self.found, self.wanted, strict=True)))

    @property
    def strayed(self) -> float:
        """How far it stands from where it should, as the length of that."""
        return self.found.distance(self.wanted)

    def within(self, tolerance: float = TOLERANCE) -> bool:
        """Whether the counted FLOPs are near enough to the target."""
        return abs(self.residual) <= tolerance

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; logarithms are natural."""
        return {
            "model": self.model.model_dump(mode="json"),
            **{name: getattr(self.extent, name) for name in (*DIMENSIONS, "flops")},
            "target": self.target,
            "residual": self.residual,
            "logs": self.found._asdict(),
            "wanted": self.wanted._asdict(),
        }
