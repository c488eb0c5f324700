"""What follows from a fit: the sizes on the fitted line, and the controls beside the largest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import count

from isoflop.errors import SpecError
from isoflop.fitting.response import Response
from isoflop.planning.scaling.forecast import forecast
from isoflop.planning.scaling.results import Results
from isoflop.planning.scaling.row import Row, Stage
from isoflop.scale_spec import ScaleSpec
from isoflop.scaling.climb import PUBLISHED, Climb
from isoflop.scaling.extent import DIMENSIONS
from isoflop.scaling.placement import Placement

CONTROLS = (*DIMENSIONS, PUBLISHED)
Make = Callable[[int, Stage, float, Placement | str, str], Row]
"""Makes a row of its number, stage, place, net or the reason why there is none, and name."""


class Ascent:
    """A fitted line and the rows on and beside it, numbered from `first` on, each worked out once."""

    def __init__(self, response: Response, climb: Climb, scale: ScaleSpec, *, first: int, make: Make) -> None:
        self.response, self.climb, self.scale, self.first, self.make = response, climb, scale, first, make
        self._forecasts: dict[tuple[tuple[float, ...], ...], Mapping[str, float]] = {}

    @cached_property
    def sizes(self) -> tuple[Row, ...]:
        """Every size, without what is predicted of it."""
        numbers = count(self.first)
        return tuple(
            self.make(next(numbers), Stage.CLIMB, phi, placed(self.climb, phi), "") for phi in self.scale.sizes
        )

    @cached_property
    def controls(self) -> tuple[Row, ...]:
        """What grew otherwise, at the FLOPs of the largest sizes."""
        numbers = count(self.first + len(self.scale.sizes))
        rows = []
        for phi in self.scale.sizes[len(self.scale.sizes) - self.scale.controls :]:
            found = self.climb.controls(phi)
            for name in CONTROLS:
                net = found.get(name, f"{name} cannot vary")
                rows.append(self.make(next(numbers), Stage.CONTROL, phi, net, name))
        return tuple(rows)

    def rows(self, results: Results) -> Iterator[Row]:
        """What can be trained by now; a size that is predicted comes once all smaller ones have ended."""
        free = len(self.sizes) - self.scale.predicted
        yield from self.sizes[:free]
        for place in range(free, len(self.sizes)):
            smaller = self.sizes[:place]
            if not all(results.final(row) for row in smaller):
                break
            yield self._predicted(self.sizes[place], smaller, results)
        yield from self.controls

    def _predicted(self, row: Row, smaller: tuple[Row, ...], results: Results) -> Row:
        errors = tuple(results.errors(one) for one in smaller)
        if errors not in self._forecasts:
            self._forecasts[errors] = forecast(smaller, results, row)
        return replace(row, forecast=self._forecasts[errors])


def placed(climb: Climb, phi: float) -> Placement | str:
    """The net at a phi, or why there is none."""
    try:
        return climb.at(phi)
    except SpecError as error:
        return str(error)
