"""Depth, width and resolution, and how they grow together.

Compound scaling after Tan & Le 2019 (arXiv 1905.11946, equation 3): depth * alpha**phi, width * beta**phi,
resolution * gamma**phi. FLOPs are counted on the built model, never taken from 2**phi.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, Self

from isoflop.config import OWN, WEIGHTS, ModelConfig
from isoflop.errors import Fault, SpecError
from isoflop.families import Family, Scalar, family

SMALLEST = 8
"""Pixels of a side below which no family is built."""
WIDEST = 1024
"""Pixels of a side above which none is."""
PHI = 16
"""Compound coefficient above which, or below whose negative, none is."""
FINE = 512
"""Steps in which `solve` doubles depth or width, and by which it raises phi by 1."""
ANY = frozenset({"variant", "auxiliary"})
"""Knobs that pretrained weights leave free: a net without auxiliary heads passes over theirs."""
LARGEST = 100.0
"""Multiplier of depth or width above which no shape is made: such a net would take minutes to count alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A family's concrete depth, width and resolution, with the stem or patch size it stands on."""

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

    def channels(self, base: int) -> int:
        """A base number of channels, scaled and rounded to the divisor."""
        return round_channels(base * self.width, self.divisor)

    def __str__(self) -> str:
        """Depth, width and resolution in a line."""
        return f"d{self.depth:.3g} w{self.width:.3g} r{self.resolution} s{self.stem}"


def unfit(model: ModelConfig) -> Iterator[Fault]:
    """Why pretrained weights do not fit a net, nothing where they do or none are asked for.

    Of weights that one of our trainings left, only the family is looked at: what else they fit stands in their header.
    """
    if not model.weights:
        return
    row = family(model.family)
    if model.weights.rpartition("-")[0] in {f"{row.name}-{method}" for method in OWN}:
        return
    if model.weights.rpartition("-")[0] != f"{row.name}-{model.variant}":
        what = f"{model.weights} are not weights of {row.name} {model.variant}".rstrip()
        yield Fault(WEIGHTS, what, f"run: isoflop weights add {row.name} --variant {model.variant}")
        return
    wanted: dict[str, Scalar] = {
        "depth": 1.0,
        "width": 1.0,
        "phi": 0.0,
        "divisor": 8,
        "stem": row.published or row.stem,
    }
    wanted |= {name: values[0] for name, values in row.knobs.items() if name not in ANY}
    found = {**model.model_dump(include=set(wanted)), "stem": model.stem or row.stem}
    wrong = [name for name, value in wanted.items() if found[name] != value]
    if wrong:
        here = ", ".join(f"model.{name} is {found[name]}" for name in wrong)
        other = ", ".join(f"model.{name}: {wanted[name]}" for name in wrong)
        what = f"{model.weights} fit the published net alone, and {here}"
        yield Fault(WEIGHTS, what, f"set {other}, or leave model.weights out")


def smallest(name: str, stem: int) -> int:
    """Pixels of a side of the smallest images that a family takes with a stem."""
    return -(-family(name).least.get(stem, SMALLEST) // stem) * stem


Vary = Literal["depth", "width", "resolution", "compound"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """The legal shape nearest to a budget."""

    model: ModelConfig
    cost: float
    target: float

    @property
    def residual(self) -> float:
        """By which share the cost is above the target, below it where negative."""
        return self.cost / self.target - 1


def solve(cost: Callable[[ModelConfig], float], target: float, *, vary: Vary, model: ModelConfig) -> Solution:
    """Vary one of depth, width and resolution, or all together by phi, until the cost is nearest to a target.

    `cost` counts or measures whatever there is a budget of (FLOPs, parameters, milliseconds) and must not fall as the
    shape grows; it is asked about 20 times. What does not vary is `model`'s. Raises `SpecError` where a shape that is
    looked at cannot be.
    """
    dial = _dial(vary, model)
    counted = cache(lambda place: cost(dial.model(place)))
    low = high = dial.start
    if counted(low) < target:
        while counted(high) < target and (above := dial.beyond(high, +1)) is not None:
            low, high = high, above
    else:
        while counted(low) > target and (below := dial.beyond(low, -1)) is not None:
            low, high = below, low
    while (middle := dial.between(low, high)) is not None:
        low, high = (middle, high) if counted(middle) <= target else (low, middle)
    best = min((low, high), key=lambda place: abs(counted(place) - target))
    return Solution(model=dial.model(best), cost=counted(best), target=target)


@dataclass(frozen=True, slots=True)
class _Dial:
    """What is varied, as whole numbers of steps."""

    given: ModelConfig
    key: str
    start: int
    bounds: tuple[int, int]
    value: Callable[[int], float]
    stride: int
    """Steps that are taken at once at first."""

    def model(self, place: int) -> ModelConfig:
        return ModelConfig.model_validate({**self.given.model_dump(), self.key: self.value(place)})

    def beyond(self, place: int, side: int) -> int | None:
        """A place further on, none at the end."""
        found = min(max(place + side * self.stride, self.bounds[0]), self.bounds[1])
        return None if found == place else found

    def between(self, low: int, high: int) -> int | None:
        """A place between two, none where they are neighbours."""
        return None if high - low < 2 else (low + high) // 2


def _dial(vary: Vary, model: ModelConfig) -> _Dial:
    if vary == "resolution":
        stem = model.stem or family(model.family).stem
        least, most = smallest(model.family, stem) // stem, WIDEST // stem
        start = max(least, min(most, round((model.resolution or SMALLEST) / stem)))
        return _Dial(model, vary, start, (least, most), lambda place: place * stem, max(1, start // 2))
    if vary == "compound":
        most = PHI * FINE
        return _Dial(model, "phi", round(model.phi * FINE), (-most, most), lambda place: place / FINE, 2 * FINE)
    base = getattr(model, vary)
    bounds = round(-FINE * math.log2(LARGEST)), round(FINE * math.log2(LARGEST / base))
    return _Dial(model, vary, 0, bounds, lambda place: base * 2.0 ** (place / FINE), FINE)


def round_channels(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of the divisor, never falling by more than 10 % (as MobileNetV2's code does)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
