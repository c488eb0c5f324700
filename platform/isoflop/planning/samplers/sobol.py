"""Quasi-random suggestions: a scrambled Sobol sequence over the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.stats import qmc

from isoflop.families import Scalar
from isoflop.planning.samplers.protocol import Observation
from isoflop.planning.samplers.walk import at, draw
from isoflop.seeds import derive
from isoflop.space import Choice, Dimension, SearchSpace


@dataclass(frozen=True)
class SobolSampler:
    """Point `number` of the sequence that the study's seed scrambles (Owen 1998, J. Complexity 14), whatever was seen.

    Every key has a coordinate of its own, which all branches of a conditional space that have the key share. Time does
    not grow.
    """

    space: SearchSpace
    seed: int
    """Of the study: trials of one study are points of one sequence."""

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """The configuration at point `number`."""
        del seen, seed
        if not self._coordinate:
            return draw(self.space, lambda _: None)
        self._engine.reset()
        if number:
            self._engine.fast_forward(number)
        point = self._engine.random(1)[0]

        def value(dimension: Dimension) -> Scalar:
            share = float(point[self._coordinate[dimension.key]])
            if isinstance(dimension, Choice):
                return dimension.values[min(int(share * len(dimension.values)), len(dimension.values) - 1)]
            return at(dimension, share)

        return draw(self.space, value)

    @cached_property
    def _coordinate(self) -> dict[str, int]:
        keys = dict.fromkeys(dimension.key for dimension in self.space.walk())
        return {key: place for place, key in enumerate(keys)}

    @cached_property
    def _engine(self) -> qmc.Sobol:
        return qmc.Sobol(len(self._coordinate), scramble=True, rng=derive(self.seed, "sobol"))
