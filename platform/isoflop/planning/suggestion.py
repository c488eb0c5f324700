"""Samplers: Optuna by ask and tell, made anew from what a suggestion may see, so it is a function of it.

What the sampler is told: a COMPLETE trial with its value; a PRUNED trial as PRUNED with its values at the reports it
made; a running one as RUNNING, which keeps TPE from suggesting its neighbours; an INFEASIBLE or diverged one as a
violated constraint. Values that are not finite never reach it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from isoflop.families import Scalar
from isoflop.records import State, Trial
from isoflop.seeds import derive
from isoflop.space import Choice, Dimension, Float, Int, SearchSpace, Suggester
from isoflop.study_spec import Objective, Sampler, StudySpec

optuna.logging.set_verbosity(optuna.logging.WARNING)
VIOLATED = 1.0
"""Excess of a constraint that was broken by an unknown amount."""


def suggest(number: int, seen: Sequence[Trial], space: SearchSpace, spec: StudySpec) -> Mapping[str, Scalar]:
    """The parameters of trial `number`: a pure function of its number, the spec and the trials it may see."""
    objective = spec.objectives[0]
    study = optuna.create_study(
        direction=objective.direction, sampler=build_sampler(spec.sampler, derive(spec.seed, "suggest", number))
    )
    names = Names.of(space)
    study.add_trials([told(trial, space, objective, names) for trial in seen if trial.state is not State.DUPLICATE])
    return space.sample(Named(study.ask(), names))


def build_sampler(sampler: Sampler, seed: int) -> BaseSampler:
    """The sampler of a spec, with all its randomness from the seed."""
    if sampler.name == "random":
        return RandomSampler(seed=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # Groups keep conditional parameters apart, so that each branch has a density of its own.
        return TPESampler(seed=seed % 2**32, n_startup_trials=sampler.startup, multivariate=True, group=True)


def told(trial: Trial, space: SearchSpace, objective: Objective, names: Names) -> FrozenTrial:
    """A trial as the sampler reads it."""
    values = _finite(trial, objective)
    state, constraints = _state(trial, values)
    recalled = Recall(trial.params)
    space.sample(Named(recalled, names))
    return create_trial(
        state=state,
        value=values[trial.reports] if state is TrialState.COMPLETE else None,
        params=recalled.values,
        distributions=recalled.distributions,
        intermediate_values=values,
        constraints=constraints,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """What the sampler calls each dimension: its dotted key, with a number where branches give a key other bounds.

    Optuna keeps one distribution a name, so `model.depth` of two families with bounds of their own is two names there.
    """

    bounds: Mapping[str, Sequence[str]]
    """Of each key, its different bounds in the order of the space."""

    @classmethod
    def of(cls, space: SearchSpace) -> Self:
        """The names of a space."""
        bounds: dict[str, list[str]] = {}
        for dimension in space.walk():
            known = bounds.setdefault(dimension.key, [])
            if str(dimension) not in known:
                known.append(str(dimension))
        return cls(bounds)

    def name(self, dimension: Dimension) -> str:
        """What the sampler calls a dimension."""
        known = self.bounds[dimension.key]
        return dimension.key if len(known) == 1 else f"{dimension.key}:{known.index(str(dimension))}"


@dataclass(frozen=True, slots=True)
class Named:
    """A suggester that asks another by the sampler's names."""

    inner: Suggester
    names: Names

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""
        known = self.names.name(Float(key=name, low=low, high=high, step=step, log=log))
        return self.inner.suggest_float(known, low, high, step=step, log=log)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number in [low, high]."""
        known = self.names.name(Int(key=name, low=low, high=high, step=step, log=log))
        return self.inner.suggest_int(known, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """One of the choices."""
        known = self.names.name(Choice(key=name, options=dict.fromkeys(choices, SearchSpace())))
        return self.inner.suggest_categorical(known, choices)


class Recall:
    """A suggester that answers with known values and notes each under the name and distribution it is asked for."""

    def __init__(self, params: Mapping[str, Scalar]) -> None:
        self.params = params
        self.values: dict[str, Scalar] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The known value of a float."""
        return float(self._note(name, FloatDistribution(low, high, log=log, step=step)))  # type: ignore[arg-type]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The known value of an int."""
        return int(self._note(name, IntDistribution(low, high, log=log, step=step)))  # type: ignore[arg-type]

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """The known value of a choice."""
        return self._note(name, CategoricalDistribution(choices))

    def _note(self, name: str, distribution: BaseDistribution) -> Scalar:
        self.distributions[name] = distribution
        self.values[name] = self.params[name.partition(":")[0]]
        return self.values[name]


def _finite(trial: Trial, objective: Objective) -> dict[int, float]:
    found = {record.report: record.metrics.get(objective.metric, math.nan) for record in trial.records}
    return {report: value for report, value in found.items() if math.isfinite(value)}


def _state(trial: Trial, values: Mapping[int, float]) -> tuple[TrialState, dict[str, float]]:
    if trial.state is State.COMPLETE and trial.reports in values:
        return TrialState.COMPLETE, {}
    if trial.state is State.PRUNED and values:
        return TrialState.PRUNED, {}
    if trial.state in {State.WAITING, State.RUNNING, State.INTERRUPTED}:
        return TrialState.RUNNING, {}
    return TrialState.PRUNED, {trial.state.lower(): VIOLATED}
