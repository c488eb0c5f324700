"""How one family is scaled: what is trained, and what of it follows from what earlier trainings came to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import count

import numpy as np

from isoflop.config import TrialConfig
from isoflop.errors import InputError
from isoflop.families import Scalar
from isoflop.fitting.response import respond
from isoflop.planning.scaling.ascent import CONTROLS, Ascent
from isoflop.planning.scaling.results import Results
from isoflop.planning.scaling.row import Row, Stage
from isoflop.scale_spec import ScaleSpec
from isoflop.scaling.climb import Climb
from isoflop.scaling.design import Design, design
from isoflop.scaling.extent import DIMENSIONS, Dimension, Logs
from isoflop.scaling.ground import Ground
from isoflop.scaling.line import BASE, Line
from isoflop.scaling.placement import Placement
from isoflop.scaling.rules import sized
from isoflop.seeds import derive


class Course:
    """One family's part of a scaling study, its rows numbered from `first` on; `side`: pixels of a side of the images.

    A pure function of results: what it keeps are answers that could be worked out again.
    """

    def __init__(
        self, scale: ScaleSpec, base: TrialConfig, ground: Ground, *, side: int, first: int, seed: int
    ) -> None:
        self.scale, self.base, self.ground, self.side, self.first, self.seed = scale, base, ground, side, first, seed
        self._ascents: dict[tuple[tuple[float, ...], ...], Ascent | str] = {}

    @property
    def family(self) -> str:
        """The family's name."""
        return self.base.model.family

    @cached_property
    def design(self) -> Design:
        """The shapes near equal-FLOP surfaces."""
        levels = [2.0**doubling for doubling in range(self.scale.doublings + 1)]
        return design(self.ground, levels=levels, arm=self.scale.arm, vary=self.scale.vary)

    @cached_property
    def presumed(self) -> tuple[Dimension, ...]:
        """What takes an equal share of the FLOPs where the data tell nothing: what varies.

        Not resolution where the base has as many pixels as the images: more of them show nothing new.
        """
        varied = [name for name in DIMENSIONS if name not in self.design.fixed]
        told = [name for name in varied if name != "resolution" or self.ground.extent.resolution < self.side]
        return tuple(told or varied)

    @cached_property
    def opening(self) -> tuple[Row, ...]:
        """What does not depend on any result: the design, and the base on shares of the data."""
        numbers = count(self.first)
        fits = [
            self._row(next(numbers), Stage.FIT, math.log2(point.level), point.placement, " ".join(point.roles))
            for point in self.design.points
        ]
        base = self.ground.place(BASE, self.ground.extent.flops)
        shares = (*self.scale.shares, 1.0) if self.scale.shares else ()
        return (*fits, *(self._row(next(numbers), Stage.SHARE, share, base) for share in shares))

    @property
    def rows_in_all(self) -> int:
        """How many configurations it comes to train."""
        return len(self.opening) + len(self.scale.sizes) + self.scale.controls * len(CONTROLS)

    @property
    def trainings(self) -> int:
        """How many trainings that comes to."""
        later = self.rows_in_all - len(self.opening)
        return sum(len(row.seeds) for row in self.opening) + later * self.scale.seeds

    @property
    def image_flops(self) -> float:
        """FLOPs of one image's forward pass, summed over all trainings."""
        opening: float = sum(len(row.seeds) * row.placement.extent.flops for row in self.opening if row.placement)
        sizes: list[float] = [self.ground.extent.flops * 2.0**phi for phi in self.scale.sizes]
        controls = sizes[len(sizes) - self.scale.controls :] * len(CONTROLS)
        return opening + self.scale.seeds * sum((*sizes, *controls))

    def rows(self, results: Results) -> Iterator[Row]:
        """What can be trained by now, by number."""
        yield from self.opening
        ascent = self.ascent(results)
        if isinstance(ascent, Ascent):
            yield from ascent.rows(results)

    def settled(self, results: Results) -> bool:
        """Whether no further row will come."""
        return isinstance(self.ascent(results), str) or len(list(self.rows(results))) == self.rows_in_all

    def ascent(self, results: Results) -> Ascent | str | None:
        """What the shapes told, why they tell nothing, or none while they are being trained."""
        rows = self.opening[: len(self.design.points)]
        if not all(results.final(row) for row in rows):
            return None
        errors = tuple(results.errors(row) for row in rows)
        if errors not in self._ascents:
            self._ascents[errors] = self._fitted(errors)
        return self._ascents[errors]

    def _fitted(self, errors: tuple[tuple[float, ...], ...]) -> Ascent | str:
        points = self.design.points
        shape_of = [place for place, values in enumerate(errors) for _ in values]
        try:
            response = respond(
                np.array([points[place].placement.found for place in shape_of]),
                np.array([math.log(points[place].placement.extent.times(self.ground.extent)) for place in shape_of]),
                np.array([value for values in errors for value in values]),
                np.array(shape_of),
                seed=derive(self.seed, "fit", self.family),
            )
        except InputError as error:
            return str(error)
        even = Line.even(self.ground.exponents, self.presumed)
        fitted = response.line((even.alpha, even.beta, even.gamma))
        alpha, beta, gamma = fitted.growth
        line = Line(alpha=alpha, beta=beta, gamma=gamma, start=Logs(*map(math.log, fitted.start)))
        climb = Climb(ground=self.ground, line=line)
        return Ascent(response, climb, self.scale, first=self.first + len(self.opening), make=self._row)

    def _row(self, number: int, stage: Stage, place: float, found: Placement | str, name: str = "") -> Row:
        """A row of a net that was solved, or of a reason why there is none."""
        placement = found if isinstance(found, Placement) else None
        changed: dict[str, Scalar] = {} if stage is not Stage.SHARE else {"data.fraction": place}
        if placement is not None:
            changed |= sized(self.base.params(), self.ground.extent, placement, self.scale.rules)
        seeds = self.scale.fit_seeds if stage is Stage.FIT else self.scale.seeds
        # The climb's seeds are not the fit's: what looked good by luck there is not met again.
        phase = Stage.CLIMB if stage is Stage.CONTROL else stage
        return Row(
            number=number,
            stage=stage,
            place=place,
            name=name,
            config=TrialConfig.from_params({**self.base.params(), **changed}),
            placement=placement,
            seeds=tuple(derive(self.seed, phase, replicate) % 2**31 for replicate in range(seeds)),
            reason="" if placement is not None else str(found),
        )
