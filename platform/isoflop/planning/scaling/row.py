"""What a scaling study trains: a configuration, what it is for, and on which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from isoflop.config import TrialConfig
from isoflop.scaling.placement import Placement


class Stage(StrEnum):
    """What a configuration is trained for."""

    FIT = "fit"
    """A shape near an equal-FLOP surface, to which the response is fitted; its place is doublings above the base."""
    SHARE = "share"
    """The base on a share of the training images, which is its place."""
    CLIMB = "climb"
    """A size on the fitted line; its place is phi."""
    CONTROL = "control"
    """A shape that grew otherwise than along the fitted line, at the FLOPs of phi, its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A configuration that is trained once a seed."""

    number: int
    """Its trial's."""
    stage: Stage
    place: float
    name: str = ""
    """Of several at a place, which: `width+`, or `depth only`."""
    config: TrialConfig
    placement: Placement | None
    """Its shape, and what it was solved for; none where it cannot be."""
    seeds: tuple[int, ...]
    reason: str = ""
    """Why it cannot be."""
    forecast: Mapping[str, float] = field(default_factory=dict)
    """What is predicted of its error."""

    def __str__(self) -> str:
        """What it is trained for: `fit 2 width+`, `climb 3.5`."""
        return " ".join(filter(None, (self.stage, f"{self.place:g}", self.name)))
