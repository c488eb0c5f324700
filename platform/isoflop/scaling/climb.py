"""Nets solved along a line, and what stands beside them at the same FLOPs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isoflop.scaling.ground import Ground
from isoflop.scaling.line import Line
from isoflop.scaling.placement import TOLERANCE, Placement

PUBLISHED = "published"
"""The control that grows by EfficientNet's constants."""


@dataclass(frozen=True, kw_only=True)
class Climb:
    """A line from a base: at phi it has the base's FLOPs times 2**phi, counted."""

    ground: Ground
    line: Line
    tolerance: float = TOLERANCE
    """Share of the FLOPs that a net may miss before neighbours are tried."""

    def flops(self, phi: float) -> float:
        """FLOPs of an image at a phi."""
        return float(self.ground.extent.flops * 2.0**phi)

    def at(self, phi: float) -> Placement:
        """The net at a phi: depth and resolution from the line, then width solved."""
        return self.ground.place(self.line.at(phi), self.flops(phi), tolerance=self.tolerance)

    def controls(self, phi: float) -> Mapping[str, Placement]:
        """What has the same FLOPs: one dimension alone grown, of those that can, and EfficientNet's constants."""
        flops, exponents = self.flops(phi), self.ground.exponents
        alone: dict[str, Placement] = {
            name: self.ground.only(name, flops, tolerance=self.tolerance) for name in exponents.free
        }
        published = Line.published(exponents).at(phi)
        return {**alone, PUBLISHED: self.ground.place(published, flops, tolerance=self.tolerance)}
