"""Optuna's Gaussian process, by ask and tell, made anew from what a suggestion may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from optuna.samplers import GPSampler as Optunas
from optuna.trial import FrozenTrial, TrialState, create_trial

from isoflop.families import Scalar
from isoflop.planning.samplers.column import Floats
from isoflop.planning.samplers.merit import informed, kept, merits, telling, violation
from isoflop.planning.samplers.protocol import Observation
from isoflop.planning.samplers.telling import Names, study_of
from isoflop.space import SearchSpace

KEPT = 200
"""Trials that it is told of at most: the best half, and of the others the latest."""
HOLDS = -1.0
"""Constraint of what can be had."""


@dataclass(frozen=True)
class GPSampler:
    """Optuna's GPSampler: expected improvement, or of the hypervolume where there are several objectives.

    It reads nothing but complete and running trials. So its study is a working copy in which every trial with scores is
    complete with its merit, which compares trials at the last report that they share: COMPLETE, PRUNED, KILLED and
    RUNNING ones. INFEASIBLE and FAILED ones, and those whose constraints are broken, are complete with the least merit
    and a broken constraint. RUNNING ones without scores are running. Of a conditional space it models the dimensions
    that all branches have, and draws the others. Time grows with the cube of the trials told, of which there are at
    most 200.
    """

    space: SearchSpace
    objectives: int
    startup: int

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """What the Gaussian process suggests."""
        del number
        sampler = Optunas(seed=seed % 2**32, n_startup_trials=self.startup, warn_independent_sampling=False)
        return self._names.asked(study_of(self._told(_kept(seen)), self.objectives, sampler).ask())

    @cached_property
    def _names(self) -> Names:
        return Names.of(self.space)

    def _told(self, seen: Sequence[Observation]) -> list[FrozenTrial]:
        """The working copy."""
        fine = informed(seen)
        values = merits(fine)
        least = values.min(axis=0) if len(values) else np.zeros(self.objectives)
        merit = {one.number: row for one, row in zip(fine, values, strict=True)}
        constrained = any(map(violation, seen))
        return [
            self._one(one, merit.get(one.number, least if violation(one) else None), constrained=constrained)
            for one in seen
        ]

    def _one(self, one: Observation, values: Floats | None, *, constrained: bool) -> FrozenTrial:
        params, distributions = self._names.told(one.params)
        if values is None:
            return create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
        return create_trial(
            state=TrialState.COMPLETE,
            values=values.tolist(),
            params=params,
            distributions=distributions,
            constraints={"violation": violation(one) or HOLDS} if constrained else None,
        )


def _kept(seen: Sequence[Observation]) -> list[Observation]:
    """Those that the model is told of: all that run, and of the others so many at most."""
    running = [one for one in seen if not one.state.final and not one.scores and not violation(one)]
    return sorted([*kept(telling(seen), KEPT), *running], key=lambda one: one.number)
