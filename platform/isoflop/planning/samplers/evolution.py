"""Regularized evolution (Real et al. 2019, Regularized evolution for image classifier architecture search)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoflop.families import Scalar
from isoflop.planning.samplers.coding import Coding
from isoflop.planning.samplers.merit import order, telling
from isoflop.planning.samplers.protocol import Observation
from isoflop.space import SearchSpace, random_suggester

POPULATION = 40
"""The latest trials, which alone can be parents: the older ones die, however good."""
TOURNAMENT = 10


@dataclass(frozen=True)
class EvolutionSampler:
    """Moves one dimension of the best of a random few among the latest trials that told something.

    Its view: COMPLETE, PRUNED, KILLED and RUNNING trials with scores compete by merit, that is by the last report that
    they share. INFEASIBLE and FAILED ones, and those whose constraints are broken, are part of the population and lose
    to every other. RUNNING ones without scores are not in it. Random until `startup` trials told something. Time grows
    by under a microsecond a trial seen.
    """

    space: SearchSpace
    startup: int

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """A child of the winner of a tournament."""
        del number
        known = telling(seen)
        if len(known) < self.startup:
            return self.space.sample(random_suggester(seed))
        chance = np.random.default_rng(seed)
        population = known[-POPULATION:]
        drawn = chance.choice(len(population), size=min(TOURNAMENT, len(population)), replace=False)
        rivals = [population[place] for place in sorted(drawn)]
        parent = rivals[order(rivals, 1)[0]]
        row = self._coding.encode(parent.params)[None]
        return self._coding.decode(self._coding.mutate(chance, row)[0])

    @cached_property
    def _coding(self) -> Coding:
        return Coding(self.space)
