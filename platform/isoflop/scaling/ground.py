"""A base, and the nets of its family that can be built around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Literal, Self, get_args

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.families import family
from isoflop.scaling.dial import Dial, dial_of, grid
from isoflop.scaling.exponents import Exponents, exponents
from isoflop.scaling.extent import DIMENSIONS, Count, Dimension, Extent, Logs
from isoflop.scaling.ladder import Ladder, Rounded, Rung, resolutions
from isoflop.scaling.placement import TOLERANCE, Placement
from isoflop.scaling.solution import turn

STEPS = 64
"""Steps in which depth or width doubles as it is solved: one is 1.1 %, less than most nets are rounded by."""
NEAR = 0.01
"""Share of the FLOPs at which solving ends: what is nearer costs more counts than it is worth."""
FAR = 0.4
"""Length of logarithms from which on a net is no neighbour of a place: half as many layers again."""
WIDTHS, SIDES = 2, 5
"""Widths and resolutions around a place that are tried where width is coarse."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A base that says its depth, width and resolution, and what counts the nets around it.

    `count` is asked often and should keep its answers, as `models.extent.counter` does.
    """

    base: ModelConfig
    count: Count
    extent: Extent
    """The base's."""

    @classmethod
    def around(cls, base: ModelConfig, count: Count) -> Self:
        """The ground around a base, phi applied and its resolution said. Raises `SpecError` where it cannot be."""
        extent, row = count(base), family(base.family)
        settled = {
            "depth": base.depth * row.alpha**base.phi,
            "width": base.width * row.beta**base.phi,
            "resolution": int(extent.resolution),
            "phi": 0.0,
        }
        return cls(ModelConfig.model_validate(base.model_dump() | settled), count, extent)

    @cached_property
    def _ladders(self) -> Mapping[str, Ladder]:
        return {name: Ladder(name, self.base, self.count) for name in get_args(Rounded)}

    @cached_property
    def exponents(self) -> Exponents:
        """Local FLOP exponents at the base."""
        return exponents(self.base, self.count)

    def place(self, wanted: Logs, flops: float, *, tolerance: float = TOLERANCE) -> Placement:
        """The net nearest to a place at FLOPs: depth and resolution are rounded first, then width is solved.

        Where width is rounded more coarsely than the tolerance it is rounded too, and depth is solved last, beside
        several widths and resolutions, the nearest first. Where none near the place has the FLOPs, the net that misses
        them least is given. Raises `SpecError` where nothing near can be built.
        """
        found: list[Placement] = []
        refused: list[SpecError] = []
        for vary, model in self._near(wanted):
            start = _steps(wanted.of(vary))
            try:
                placed = self._placed(self._solved(vary, model, start, flops), wanted, flops)
            except SpecError as error:
                refused.append(error)
                continue
            if vary == "width" or placed.strayed <= FAR:
                if placed.within(tolerance):
                    return placed
                found.append(placed)
        if not found:
            raise refused[0]
        return min(found, key=lambda placed: abs(placed.residual))

    def only(self, dimension: Dimension, flops: float, *, tolerance: float = TOLERANCE) -> Placement:
        """The base with one dimension alone changed until it has the FLOPs.

        Where that dimension is rounded more coarsely than the tolerance, the others may help out.
        """
        model = turn(self._dial(dimension), self._flops, flops).model
        found = self.count(model).over(self.extent)
        wanted = Logs(**{name: found.of(name) if name == dimension else 0.0 for name in DIMENSIONS})
        alone = self._placed(model, wanted, flops)
        if alone.within(tolerance):
            return alone
        return min((alone, self.place(wanted, flops)), key=lambda placed: abs(placed.residual))

    def reach(self, dimension: Literal["depth", "resolution"], step: float) -> float:
        """The step nearest to one, as a logarithm, that can be taken from the base; 0 where rounding allows none."""
        if dimension == "depth":
            wanted = self.extent.depth * math.exp(step)
            return math.log(next(self._ladder(dimension).near(wanted)).size / self.extent.depth)
        side, *_ = resolutions(self.base, self.extent, self.extent.resolution * math.exp(step))
        return math.log(side / self.extent.resolution)

    def _dial(self, dimension: Dimension) -> Dial:
        if dimension == "resolution":
            return dial_of(dimension, self.base)
        return grid(dimension, self.base, STEPS)

    def _near(self, wanted: Logs) -> Iterator[tuple[Rounded, ModelConfig]]:
        """Models with two dimensions near a place, and the third, which is to be solved; the nearest first."""
        rung = next(self._ladder("depth").near(self.extent.depth * math.exp(wanted.depth)))
        side = self.extent.resolution * math.exp(wanted.resolution)
        sides = resolutions(self.base, self.extent, side)
        yield "width", self._with(depth=rung.setting, resolution=sides[0])
        widths = islice(self._ladder("width").near(self.extent.width * math.exp(wanted.width)), WIDTHS)

        def off(pair: tuple[Rung, int]) -> float:
            return self._off(wanted, math.log(pair[0].size / self.extent.width), math.log(pair[1] / side))

        for width, pixels in sorted(product(widths, sides[:SIDES]), key=off):
            yield "depth", self._with(width=width.setting, resolution=pixels)

    def _off(self, wanted: Logs, width: float, side: float) -> float:
        """About how far from a place a net stands whose depth makes up for another width and resolution."""
        wider = width - wanted.width
        other = self.exponents.flops(Logs(0.0, wider, side))
        return math.hypot(wider, side, other / (self.exponents.depth or 1.0))

    def _solved(self, vary: Rounded, model: ModelConfig, start: int, flops: float) -> ModelConfig:
        """A model with the depth or width that gives it the FLOPs, looked for from so many steps off."""
        dial = grid(vary, model, STEPS, start=start, stride=STEPS // 8)
        return turn(dial, self._flops, flops, near=NEAR).model

    def _ladder(self, dimension: Rounded) -> Ladder:
        return self._ladders[dimension]

    def _with(self, **settings: float) -> ModelConfig:
        return ModelConfig.model_validate(self.base.model_dump() | settings)

    def _placed(self, model: ModelConfig, wanted: Logs, flops: float) -> Placement:
        extent = self.count(model)
        return Placement(model=model, extent=extent, target=flops, wanted=wanted, found=extent.over(self.extent))

    def _flops(self, model: ModelConfig) -> float:
        return self.count(model).flops


def _steps(log: float) -> int:
    return round(STEPS * log / math.log(2))
