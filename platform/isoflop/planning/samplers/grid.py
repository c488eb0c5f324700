"""Suggestions from a grid, in an order that is well spread from the first trial on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from isoflop.families import Scalar
from isoflop.planning.samplers.protocol import Observation
from isoflop.planning.samplers.walk import Identity, Walk, identity
from isoflop.seeds import derive
from isoflop.space import SearchSpace, random_suggester

GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class GridSampler:
    """The first point of the grid that was not tried, in whatever state that trial is; random once all were.

    A continuous dimension is cut into 5 values. Point i of n stands at (offset + i * step) mod n in the order of the
    space, step being the number nearest to n times the golden ratio that has no divisor in common with n: multiples of
    it are spread evenly at any time (Knuth, The Art of Computer Programming 3, section 6.4). Time grows by a look-up a
    trial seen, about a microsecond a parameter.
    """

    space: SearchSpace
    seed: int
    """Of the study: decides where in the grid it begins."""
    _known: list[Identity] = field(default_factory=list, compare=False, repr=False)
    """The first points, made once."""

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """The first point that no trial seen has."""
        del number
        tried = {identity(one.params) for one in seen}
        for place in range(min(len(tried) + 1, len(self._walk))):
            if self._identity(place) not in tried:
                return self._point(place)
        return self.space.sample(random_suggester(seed))

    @cached_property
    def _walk(self) -> Walk:
        return Walk(self.space)

    @cached_property
    def _order(self) -> tuple[int, int]:
        """Offset and step."""
        size = len(self._walk)
        step = max(round(size * GOLDEN), 1)
        while math.gcd(step, size) != 1:
            step += 1
        return derive(self.seed, "grid") % size, step

    def _point(self, place: int) -> dict[str, Scalar]:
        offset, step = self._order
        return self._walk[(offset + place * step) % len(self._walk)]

    def _identity(self, place: int) -> Identity:
        while len(self._known) <= place:
            self._known.append(identity(self._point(len(self._known))))
        return self._known[place]
