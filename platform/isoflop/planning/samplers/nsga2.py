"""NSGA-II (Deb et al. 2002, A fast and elitist multiobjective genetic algorithm), one child at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoflop.families import Scalar
from isoflop.planning.samplers.coding import Coding
from isoflop.planning.samplers.column import Floats
from isoflop.planning.samplers.merit import order
from isoflop.planning.samplers.protocol import Observation
from isoflop.space import SearchSpace, random_suggester

POPULATION = 30
CROSSING = 0.9
"""Share of the children that have two parents."""


@dataclass(frozen=True)
class NSGA2Sampler:
    """Crosses and moves two winners of binary tournaments among the best trials of all that were seen.

    The population is what survives of everything seen, by rank and crowding, so that nothing is lost when a study is
    resumed; a trial that breaks a constraint loses to any that does not (constraint-domination).

    Its view: COMPLETE, PRUNED, KILLED and RUNNING trials with scores compete by merit in each objective, that is by the
    last report that they share. INFEASIBLE and FAILED ones survive only while there is nothing better. RUNNING ones
    without scores are not in it. Random until `startup` trials told something. Time grows with the trials seen times
    the size of the first fronts: see the numbers in docs.
    """

    space: SearchSpace
    startup: int

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """A child of two parents."""
        del number
        best = order(seen, POPULATION)
        if len(best) < min(self.startup, POPULATION):
            return self.space.sample(random_suggester(seed))
        chance = np.random.default_rng(seed)
        mother, father = (self._winner(chance, best, seen) for _ in range(2))
        child = self._coding.cross(chance, mother, father) if chance.random() < CROSSING else mother
        moves = chance.binomial(child.shape[1], 1 / child.shape[1])
        for _ in range(moves):
            child = self._coding.mutate(chance, child)
        return self._coding.decode(child[0])

    @cached_property
    def _coding(self) -> Coding:
        return Coding(self.space)

    def _winner(self, chance: np.random.Generator, best: Sequence[int], seen: Sequence[Observation]) -> Floats:
        """The row of the better of two."""
        place = min(chance.integers(len(best), size=2))
        return self._coding.encode(seen[best[place]].params)[None]
