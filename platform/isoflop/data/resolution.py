"""At how many pixels a side images are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low
from typing import Final, Self

from isoflop.data.source import Probe
from isoflop.errors import DataError, Fault

LOWEST: Final = 8
NATIVE: Final = 224
"""Images that are all square and of one size up to this are stored as they are."""
USUAL: Final = 64
"""Others are stored with at most this, unless somebody says otherwise."""
HIGHEST: Final = 1024
STEP: Final = 8
"""Resolutions that we choose are multiples of this, so that strides and patches fit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """Pixels of a side as stored, and the rule that gave them."""

    pixels: int
    rule: str

    @classmethod
    def of(cls, probes: Iterable[Probe], asked: int | None) -> Self:
        """What was asked for, else native where all are square and equal, else the median short side, at most 64."""
        if asked is not None:
            return cls(pixels=asked, rule="as asked")
        sizes = [(probe.width, probe.height) for probe in probes]
        width, height = sizes[0]
        if width == height and LOWEST <= width <= NATIVE and len(set(sizes)) == 1:
            return cls(pixels=width, rule="native: all are square and equal")
        middle = median_low(map(min, sizes)) // STEP * STEP
        rule = f"median short side, rounded down to a multiple of {STEP}, at least {LOWEST} and at most {USUAL}"
        return cls(pixels=min(max(middle, LOWEST), USUAL), rule=rule)


def check_resolution(asked: int | None) -> None:
    """Raises `DataError` where no model could use it."""
    if asked is not None and not LOWEST <= asked <= HIGHEST:
        raise DataError(Fault("resolution", f"{asked} is out of range", f"give {LOWEST} to {HIGHEST}"))
