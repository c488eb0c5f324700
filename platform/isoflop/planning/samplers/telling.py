"""What Optuna's samplers are told: a study made anew from what a suggestion may see.

Of a conditional space each branch keeps its own dimensions: a key that branches give other bounds has a name for each,
as Optuna keeps one distribution a name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from isoflop.families import Scalar
from isoflop.planning.samplers.walk import active, draw
from isoflop.space import Choice, Dimension, Float, SearchSpace

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, slots=True)
class Names:
    """What Optuna calls the dimensions of a space: by their key, with a number where a key has several bounds."""

    space: SearchSpace
    bounds: Mapping[str, Sequence[str]]
    """Of each key, its different bounds in the order of the space."""

    @classmethod
    def of(cls, space: SearchSpace) -> Self:
        """The names of a space."""
        bounds: dict[str, list[str]] = {}
        for dimension in space.walk():
            known = bounds.setdefault(dimension.key, [])
            if _bounds(dimension) not in known:
                known.append(_bounds(dimension))
        return cls(space, bounds)

    def name(self, dimension: Dimension) -> str:
        """What Optuna calls a dimension."""
        known = self.bounds[dimension.key]
        return dimension.key if len(known) == 1 else f"{dimension.key}:{known.index(_bounds(dimension))}"

    def told(self, params: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], dict[str, BaseDistribution]]:
        """Parameters as Optuna reads them: values and distributions by its names."""
        dimensions = {self.name(dimension): dimension for dimension in active(self.space, params)}
        values = {name: params[dimension.key] for name, dimension in dimensions.items()}
        return values, {name: distribution(dimension) for name, dimension in dimensions.items()}

    def asked(self, trial: Trial) -> dict[str, Scalar]:
        """The parameters that an open trial of Optuna suggests."""

        def value(dimension: Dimension) -> Scalar:
            name = self.name(dimension)
            if isinstance(dimension, Choice):
                found: Scalar = trial.suggest_categorical(name, dimension.values)
                return found
            if isinstance(dimension, Float):
                drawn = trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
                return dimension.nearest(drawn)
            return trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)

        return draw(self.space, value)


def distribution(dimension: Dimension) -> BaseDistribution:
    """A dimension as Optuna has it."""
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    if isinstance(dimension, Float):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


class Shelf(InMemoryStorage):
    """Optuna's storage in memory that takes told trials as they are: copying 2,000 of them in depth takes 0.2 s."""

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Put a told trial on the shelf, or open a new one."""
        if template_trial is None:
            return super().create_new_trial(study_id)
        info = self._studies[study_id]
        trial = copy.copy(template_trial)
        self._max_trial_id += 1
        trial._trial_id, trial.number = self._max_trial_id, len(info.trials)  # noqa: SLF001 - as the storage it is
        self._trial_id_to_study_id_and_number[self._max_trial_id] = (study_id, trial.number)
        info.trials.append(trial)
        return self._max_trial_id


def study_of(told: Sequence[FrozenTrial], objectives: int, sampler: optuna.samplers.BaseSampler) -> Study:
    """A study of told trials, all objectives maximized, as scores are."""
    shelf = Shelf()
    study = optuna.create_study(storage=shelf, directions=["maximize"] * objectives, sampler=sampler)
    number = shelf.get_study_id_from_name(study.study_name)
    for trial in told:
        shelf.create_new_trial(number, trial)
    return study


def _bounds(dimension: Dimension) -> str:
    """What tells a dimension's distribution from another's; a choice's options enable what they will."""
    kind = type(dimension).__name__
    return f"{kind} {list(map(repr, dimension.values))}" if isinstance(dimension, Choice) else f"{dimension!r}"
