"""What `solve` turns: one of depth, width and resolution, or all together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from isoflop.config import ModelConfig
from isoflop.families import family
from isoflop.scaling.limits import LARGEST, PHI, SMALLEST, WIDEST, smallest

Vary = Literal["depth", "width", "resolution", "compound"]

FINE = 512
"""Steps in which `solve` doubles depth or width, and by which it raises phi by 1."""


@dataclass(frozen=True, slots=True)
class Dial:
    """What is varied, as whole numbers of steps."""

    given: ModelConfig
    key: str
    start: int
    bounds: tuple[int, int]
    value: Callable[[int], float]
    stride: int
    """Steps that are taken at once at first."""

    def model(self, place: int) -> ModelConfig:
        """The configuration at a place."""
        return ModelConfig.model_validate({**self.given.model_dump(), self.key: self.value(place)})

    def beyond(self, place: int, side: int) -> int | None:
        """A place further on, none at the end."""
        found = min(max(place + side * self.stride, self.bounds[0]), self.bounds[1])
        return None if found == place else found

    def between(self, low: int, high: int) -> int | None:
        """A place between two, none where they are neighbours."""
        return None if high - low < 2 else (low + high) // 2


def dial_of(vary: Vary, model: ModelConfig) -> Dial:
    """What is turned of a configuration, and how far it goes."""
    if vary == "resolution":
        stem = model.stem or family(model.family).stem
        least, most = smallest(model.family, stem) // stem, WIDEST // stem
        start = max(least, min(most, round((model.resolution or SMALLEST) / stem)))
        return Dial(model, vary, start, (least, most), lambda place: place * stem, max(1, start // 2))
    if vary == "compound":
        row = family(model.family)
        room = min(math.log(LARGEST / model.depth, row.alpha), math.log(LARGEST / model.width, row.beta))
        most = math.floor(min(PHI, room) * FINE)
        return Dial(model, "phi", round(model.phi * FINE), (-PHI * FINE, most), lambda place: place / FINE, 2 * FINE)
    return grid(vary, model, FINE)


def grid(vary: Literal["depth", "width"], model: ModelConfig, fine: int, *, start: int = 0, stride: int = 0) -> Dial:
    """Depth or width on a grid that doubles in so many steps; place 0 is the model's own setting.

    Without a stride a doubling is taken at first.
    """
    row = family(model.family)
    base: float = getattr(model, vary)
    grown = (row.alpha if vary == "depth" else row.beta) ** model.phi
    low, high = round(-fine * math.log2(LARGEST)), math.floor(fine * math.log2(LARGEST / (base * grown)))
    place = min(max(start, low), high)
    return Dial(model, vary, place, (low, high), lambda place: base * 2.0 ** (place / fine), stride or fine)
