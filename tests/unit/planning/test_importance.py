"""Importance of parameters: Optuna's own on the same trials, and conditional spaces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator

from isoflop.planning.importance import importance
from isoflop.records import Record, State, Trial
from isoflop.space import SearchSpace
from isoflop.spec import spec_from_tree
from isoflop.study_spec import Objective
from isoflop.suggester import random_suggester

ACCURACY, LOSS = Objective.model_validate("val_accuracy"), Objective.model_validate("val_loss")


def space(tree: Mapping[str, Any]) -> SearchSpace:
    return spec_from_tree({"space": tree, "study": {"name": "x", "data": "digits"}}, where="x").space


FLAT = space(
    {
        "model.family": "resnet",
        "optim.lr": {"float": [1e-4, 1e-1], "log": True},
        "optim.weight_decay": {"float": [0.0, 0.1]},
    }
)
BRANCHES = space(
    {
        "model.family": {
            "choice": {
                "resnet": {"model.depth": {"float": [0.5, 1.0]}},
                "vit": {"model.stem": 2, "model.depth": {"float": [0.1, 1.0]}},
            }
        },
        "optim.lr": {"float": [1e-4, 1e-1], "log": True},
    }
)


def trial(number: int, params: Mapping[str, Any], score: float, state: State = State.COMPLETE) -> Trial:
    metrics = {"val_accuracy": score, "val_loss": -score}
    record = Record(report=1, step=1, epoch=1, images=1, flops=1, fidelity=1, metrics=metrics)
    return Trial(number=number, state=state, params=params, records=(record,))


def drawn(where: SearchSpace, count: int) -> list[dict[str, Any]]:
    return [where.sample(random_suggester(n)) for n in range(count)]


def rate(params: Mapping[str, Any]) -> float:
    """Best at a learning rate of 1e-2, whatever the rest is."""
    return -abs(math.log10(params["optim.lr"]) + 2)


def test_it_is_optunas_on_a_flat_space() -> None:
    params = drawn(FLAT, 60)
    found = importance([trial(n, one, rate(one)) for n, one in enumerate(params)], FLAT, ACCURACY)
    study = optuna.create_study(direction="maximize")
    bounds = {
        "optim.lr": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
        "optim.weight_decay": optuna.distributions.FloatDistribution(0.0, 0.1),
    }
    study.add_trials(
        [optuna.create_trial(params=one, distributions=bounds, value=rate(one)) for one in params]  # type: ignore[arg-type]
    )
    known = optuna.importance.get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.25))
    assert found is not None
    assert {key: weight.share for key, weight in found.items()} == pytest.approx(known)
    assert {weight.trials for weight in found.values()} == {60}
    assert next(iter(found)) == "optim.lr"
    assert found["optim.lr"].share > 0.8


def test_a_key_with_other_bounds_in_each_branch_is_one_parameter() -> None:
    def score(params: Mapping[str, Any]) -> float:
        return -abs(params["model.depth"] - 0.75) + (0.5 if params["model.family"] == "resnet" else 0.0)

    params = drawn(BRANCHES, 80)
    found = importance([trial(n, one, score(one)) for n, one in enumerate(params)], BRANCHES, ACCURACY)
    assert found is not None
    assert set(found) == {"model.family", "model.depth", "optim.lr"}
    assert sum(weight.share for weight in found.values()) == pytest.approx(1.0)
    assert found["optim.lr"].share < min(found["model.family"].share, found["model.depth"].share)
    assert {weight.trials for weight in found.values()} == {80}


def test_a_parameter_that_few_trials_have_says_so() -> None:
    tree = {"model.family": {"choice": {"resnet": {"optim.lr": {"float": [1e-4, 1e-1]}}, "lenet": {}}}}
    where = space(tree)
    params = [{"model.family": "lenet"}] * 19 + [{"model.family": "resnet", "optim.lr": 0.01}]
    found = importance([trial(n, one, float(n)) for n, one in enumerate(params)], where, ACCURACY)
    assert found is not None
    assert {key: weight.trials for key, weight in found.items()} == {"model.family": 20, "optim.lr": 1}


def test_cut_trials_and_strangers_to_the_space_count_for_nothing() -> None:
    params = drawn(FLAT, 40)
    fine = [trial(n, one, rate(one)) for n, one in enumerate(params)]
    cut = [trial(100 + n, one, 5.0, State.PRUNED) for n, one in enumerate(drawn(FLAT, 20))]
    strange = [trial(200, {"optim.lr": 5.0, "optim.weight_decay": 0.0}, 9.0), trial(201, params[0], math.nan)]
    assert importance([*fine, *cut, *strange], FLAT, ACCURACY) == importance(fine, FLAT, ACCURACY)


def test_less_is_better_where_the_objective_says_so() -> None:
    trials = [trial(n, one, rate(one)) for n, one in enumerate(drawn(FLAT, 40))]
    assert importance(trials, FLAT, LOSS) == importance(trials, FLAT, ACCURACY)


def test_too_few_trials_and_equal_scores_say_nothing() -> None:
    params = drawn(FLAT, 20)
    assert importance([trial(n, one, rate(one)) for n, one in enumerate(params[:7])], FLAT, ACCURACY) is None
    assert importance([trial(n, one, 0.5) for n, one in enumerate(params)], FLAT, ACCURACY) is None
