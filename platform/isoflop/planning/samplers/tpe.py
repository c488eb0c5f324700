"""Optuna's tree-structured Parzen estimator, by ask and tell, made anew from what a suggestion may see."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler as Optunas
from optuna.trial import FrozenTrial, TrialState, create_trial

from isoflop.families import Scalar
from isoflop.planning.samplers.merit import violation
from isoflop.planning.samplers.protocol import Observation
from isoflop.planning.samplers.telling import Names, study_of
from isoflop.records import State
from isoflop.space import SearchSpace


@dataclass(frozen=True)
class TPESampler:
    """Multivariate TPE (Bergstra et al. 2011; Watanabe 2023), a group of dimensions for each branch of the space.

    What it is told of a trial:

    - COMPLETE: complete, with its scores.
    - PRUNED: pruned, with its values at the reports it made. TPE ranks it behind complete ones, the one that came
      further first, then by value.
    - RUNNING with scores: pruned, as one that has come so far. Told as running it would count among the bad ones, and
      under halving the promising trials are the ones still running. Without scores: running, which keeps TPE from
      suggesting its neighbours.
    - INFEASIBLE, FAILED, and any whose constraints are broken: a violated constraint, ranked behind all others.
    - KILLED: as PRUNED where it has scores, else not at all.

    With several objectives values at reports have no place in Optuna: trials without an end are told without them, and
    rank behind complete ones.
    """

    space: SearchSpace
    objectives: int
    startup: int
    _told: dict[int, tuple[Observation, FrozenTrial]] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """What TPE suggests."""
        del number
        told = [self._tell(one) for one in seen if one.state is not State.KILLED or one.scores]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = Optunas(seed=seed % 2**32, n_startup_trials=self.startup, multivariate=True, group=True)
        return self._names.asked(study_of(told, self.objectives, sampler).ask())

    @cached_property
    def _names(self) -> Names:
        return Names.of(self.space)

    def _tell(self, one: Observation) -> FrozenTrial:
        """A trial as told, made once for each way in which it was seen."""
        known = self._told.get(one.number)
        if known is None or (known[0] is not one and known[0] != one):
            known = self._told[one.number] = one, self._made(one)
        return known[1]

    def _made(self, one: Observation) -> FrozenTrial:
        values, distributions = self._names.told(one.params)
        state = _state(one)
        single = self.objectives == 1
        return create_trial(
            state=state,
            values=one.scores[one.last] if state is TrialState.COMPLETE else None,
            params=values,
            distributions=distributions,
            intermediate_values={report: found[0] for report, found in one.scores.items()} if single else {},
            constraints={"violation": violation(one)} if state.is_finished() else {},
        )


def _state(one: Observation) -> TrialState:
    if one.state is State.COMPLETE and one.scores:
        return TrialState.COMPLETE
    running = one.state in {State.WAITING, State.RUNNING, State.INTERRUPTED}
    return TrialState.RUNNING if running and not one.scores else TrialState.PRUNED
