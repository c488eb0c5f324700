"""What a study has found and what it cost, put together out of the analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from isoflop.analysis.anytime import AXES, Point, anytime, steps, tail
from isoflop.analysis.arms import arms
from isoflop.analysis.spending import Cost, by_family, by_state, spent
from isoflop.analysis.tradeoff import tradeoff
from isoflop.errors import Fault, InputError
from isoflop.outcome import Study
from isoflop.planning.importance import importance
from isoflop.study_spec import Objective

COST = "flops"
"""What a front is over beside the only objective where nothing else is said."""


def findings(study: Study, over: Sequence[str] = ()) -> dict[str, Any]:
    """The analysis of a study as JSON values.

    `front`: over the quantities named, by default the first three objectives, or the only one and FLOPs. `importance`:
    share and trials by key, null with too few trials. `anytime`: the points at which the first objective's best score
    changed, and the last. `last_tenth`: its gain by FLOPs, seconds and trials. `arms`: the sampler beside the control
    arm, null where there is none. `cost`: of the study, its families, its states and each trial. Raises `InputError`
    where two or three quantities are not named, `SpecError` for one that is none.
    """
    spec, trials = study.spec, study.trials
    objectives, constraints = spec.study.objectives, spec.study.constraints
    names = list(over) or [one.metric for one in objectives][:3]
    quantities = [*names, COST] if not over and len(names) == 1 else names
    if not 2 <= len(quantities) <= 3 or len(set(quantities)) < len(quantities):
        remedy = "name two or three different metrics or costs"
        raise InputError(Fault("--over", f"{', '.join(quantities)} is no front", remedy))
    points = anytime(trials, objectives[0], constraints)
    weights = importance(trials, spec.space, objectives[0])
    compared = arms(trials, spec.study)
    return {
        "study": study.id,
        "objective": objectives[0].metric,
        "front": tradeoff(trials, quantities, constraints).to_dict(),
        "importance": None if weights is None else {key: asdict(weight) for key, weight in weights.items()},
        "anytime": [one.to_dict() for one in steps(points)],
        "last_tenth": _tails(points, objectives[0]),
        "arms": compared and compared.to_dict() | {"said": [*compared.lines()]},
        "cost": _cost(study),
    }


def _tails(points: Sequence[Point], objective: Objective) -> list[dict[str, Any]]:
    return [tail(points, objective, axis).to_dict() for axis in AXES]


def _cost(study: Study) -> dict[str, Any]:
    trials, history = study.trials, study.store.history(study.id)
    return {
        "study": spent(trials).to_dict() | {"wall_seconds": max(0.0, history.updated - history.began)},
        "families": {name: cost.to_dict() for name, cost in by_family(trials).items()},
        "states": {name: cost.to_dict() for name, cost in by_state(trials).items()},
        "trials": [
            {"number": trial.number, "replicate": trial.replicate} | Cost.of(trial).to_dict() for trial in trials
        ],
    }
