"""Which parameters decide whether a trial is among the best: PED-ANOVA over the COMPLETE trials of a search."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from isoflop.planning.samplers.telling import Names, study_of
from isoflop.records import State, Trial
from isoflop.scores import score
from isoflop.space import SearchSpace
from isoflop.study_spec import Objective

LEAST = 12
"""Trials below which nothing is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """How much a parameter tells."""

    share: float
    """Of all parameters' importance; the shares are 1 together."""
    trials: int
    """COMPLETE trials that have the parameter: with few of them its share is rough."""


def importance(
    trials: Sequence[Trial], space: SearchSpace, objective: Objective, *, quantile: float = 0.25
) -> dict[str, Weight] | None:
    """How much each parameter tells the best share of trials from all, by key, the highest first.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv 2304.10255), of parameters that a choice enables weighed by how
    often it does (arXiv 2601.20800), as Optuna has it. Trials that were cut are left out: their scores are not
    comparable; and so are those whose parameters the space does not have any more. None with too few trials, or where
    all score the same.
    """
    names = Names.of(space)
    told = [one for trial in trials if (one := _told(trial, names, space, objective)) is not None]
    values = {value for one in told for value in one.values or ()}
    if len(told) < LEAST or len(values) < 2:
        return None
    study = study_of(told, 1, RandomSampler(seed=0))
    # A key that branches give several bounds is one parameter: its parts are added.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of parameters that few trials have: their number is said
        parts = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile))
    keys = {names.name(dimension): dimension.key for dimension in space.walk()}
    found = dict.fromkeys(keys.values(), 0.0)
    for name, part in parts.items():
        found[keys[name]] += part
    counts = Counter(keys[name] for one in told for name in one.params)
    order = sorted(found, key=lambda key: (-found[key], key))
    return {key: Weight(share=found[key], trials=counts[key]) for key in order}


def _told(trial: Trial, names: Names, space: SearchSpace, objective: Objective) -> FrozenTrial | None:
    """A trial as Optuna reads it, more being better; none for one that does not count."""
    if trial.state is not State.COMPLETE or not space.contains(trial.params):
        return None
    scores = score(trial, trial.reports, [objective])
    if scores is None:
        return None
    params, distributions = names.told(trial.params)
    return create_trial(state=TrialState.COMPLETE, params=params, distributions=distributions, value=scores[0])
