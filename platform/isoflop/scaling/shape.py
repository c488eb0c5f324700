"""A family's concrete depth, width and resolution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from isoflop.config import ModelConfig
from isoflop.errors import Fault, SpecError
from isoflop.families import Family, family
from isoflop.scaling.channels import round_channels
from isoflop.scaling.fit import unfit
from isoflop.scaling.heads import width_and_heads
from isoflop.scaling.limits import LARGEST, SMALLEST, smallest


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A family's concrete depth, width and resolution, with the stem or patch size it stands on.

    Builders ask for layers, channels and heads, never for depth and width themselves: shapes that answer the same are
    one net.
    """

    depth: float
    """Multiplier of the family's base depth."""
    width: float
    """Multiplier of the family's base width."""
    resolution: int
    """Pixels of a side."""
    stem: int
    """Pixels per cell of the first feature map: stride of the stem, or patch size."""
    divisor: int = 8

    @classmethod
    def of(cls, model: ModelConfig, stored: int) -> Self:
        """The shape of a configuration on images stored with `stored` pixels a side, phi applied.

        Raises `SpecError` where the stem does not fit the resolution, or depth or width is out of bounds.
        """
        row = family(model.family)
        stem = model.stem or row.stem
        resolution = model.resolution or stored
        least = smallest(model.family, stem)
        if model.phi:
            resolution = max(least, stem * round(resolution * row.gamma**model.phi / stem))
        shape = cls(
            depth=model.depth * row.alpha**model.phi,
            width=model.width * row.beta**model.phi,
            resolution=resolution,
            stem=stem,
            divisor=model.divisor,
        )
        faults = [*shape._faults(least, row), *unfit(model)]
        if faults:
            raise SpecError(*faults)
        return shape

    def _faults(self, least: int, row: Family) -> Iterator[Fault]:
        low = max(least, self.resolution // self.stem * self.stem)
        near = f"nearest legal: {low} and {low + self.stem}"
        if self.resolution < SMALLEST:
            yield Fault("model.resolution", f"{self.resolution} pixels are less than {SMALLEST}", near)
        elif self.resolution % self.stem and not self._is_published(row):
            what = f"{self.resolution} pixels are no multiple of stem or patch size {self.stem}"
            yield Fault("model.resolution", what, near)
        elif self.resolution < least:
            yield Fault("model.resolution", f"{self.resolution} pixels are too few for stem {self.stem}", near)
        for name, value in (("depth", self.depth), ("width", self.width)):
            if value > LARGEST:
                what = f"{value:.4g} times the family's base, phi applied, is more than {LARGEST:g}"
                yield Fault(f"model.{name}", what, f"nearest legal: {LARGEST:g}")

    def _is_published(self, row: Family) -> bool:
        """Whether a net was published for these pixels: 299 are no multiple of any stem."""
        return self.stem == (row.published or row.stem) and self.resolution in row.variants.values()

    def reduced(self, share: float, least: int) -> int:
        """Pixels of a side at a share of the resolution: what the stem divides, and no fewer than so many."""
        side = self.stem * round(self.resolution * share / self.stem)
        return min(self.resolution, max(least, side))

    def layers(self, base: int) -> int:
        """A base number of layers, scaled and rounded up, at least 1 (as EfficientNet does)."""
        return max(1, math.ceil(round(base * self.depth, 6)))

    def channels(self, base: int, divisor: int | None = None) -> int:
        """A base number of channels, scaled and rounded to the shape's divisor or to one of the family's own."""
        return round_channels(base * self.width, divisor or self.divisor)

    def heads(self, base: int, size: int) -> tuple[int, int]:
        """A base number of channels, scaled and rounded to whole heads of a published size, and how many they are."""
        return width_and_heads(base * self.width, size)

    def __str__(self) -> str:
        """Depth, width and resolution in a line."""
        return f"d{self.depth:.3g} w{self.width:.3g} r{self.resolution} s{self.stem}"
