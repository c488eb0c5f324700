"""Ablations on scripted trainings: what is set back, on which seeds, in which order, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.planning.ablation import AS_IS, AblationPlan, choices
from isoflop.planning.fresh import fresh_seeds
from isoflop.records import Key, State, Trial
from isoflop.spec import spec_from_tree
from tests.scripted import plan as search_plan
from tests.scripted import run

SPACE = {
    "model.family": {"choice": ["lenet", "resnet"]},
    "model.width": {"float": [0.25, 0.5]},
    "optim.lr": {"float": [1e-4, 1e-1], "log": True},
    "optim.name": {
        "choice": {
            "sgd": {"optim.momentum": {"float": [0.0, 0.99]}},
            "adamw": {"optim.weight_decay": {"float": [0.0, 0.1]}},
        }
    },
    "augment.crop": {"choice": [0, 1, 2]},
}
PARAMS = {
    "model.family": "resnet",
    "model.width": 0.25,
    "optim.lr": 0.1,
    "optim.name": "adamw",
    "optim.weight_decay": 0.03,
    "augment.crop": 2,
}


def ablation(seeds: int = 2, **more: object) -> AblationPlan:
    search = search_plan(space=SPACE, constraints=["parameters <= 400"])
    config = search.space.config(PARAMS, study=search.spec, data_digest=search.digest)
    trial = Trial(number=4, state=State.COMPLETE, params=PARAMS, config=config.params(), parameters=250, flops=1000)
    return AblationPlan(trial=replace(trial, **more), search=search, seeds=seeds, seen={0})  # type: ignore[arg-type]


def begun(history: History) -> list[tuple[Key, int]]:
    return [(key, trial.seed) for key, trial in history.trials.items()]


def test_each_choice_has_its_default_within_the_space() -> None:
    space = search_plan(space=SPACE).space
    found = {choice.key: choice for choice in choices(space, PARAMS, pixels=8)}
    assert list(found) == list(PARAMS)
    assert found["model.width"].default == 0.5, "the default of the family, moved into the bounds"
    assert found["augment.crop"].default == 0
    assert found["augment.crop"].params == {**PARAMS, "augment.crop": 0}
    assert found["optim.lr"].why == "is at its default"
    assert "another net" in found["model.family"].why


def test_what_a_choice_enables_goes_with_it() -> None:
    space = search_plan(space=SPACE).space
    found = {choice.key: choice for choice in choices(space, PARAMS, pixels=8)}
    back = found["optim.name"].params
    assert back["optim.name"] == "sgd"
    assert "optim.weight_decay" not in back
    assert back["optim.momentum"] == space.default("resnet")["optim.momentum"]
    assert {key: back[key] for key in ("model.width", "optim.lr", "augment.crop")} == {
        key: PARAMS[key] for key in ("model.width", "optim.lr", "augment.crop")
    }


def test_all_are_trained_on_the_same_fresh_seeds_the_first_seed_first(tmp_path: Path) -> None:
    plan = ablation()
    history = run(plan, tmp_path, workers=1, order=0)
    by_seed = [trial.seed for trial in history.trials.values()]
    assert by_seed == sorted(by_seed, key=plan.fresh.index)
    trained = [trial for trial in history.trials.values() if not trial.free]
    assert {trial.number for trial in trained if trial.seed == plan.fresh[0]} == {
        trial.number for trial in trained if trial.seed == plan.fresh[1]
    }
    assert len(trained) == plan.trainings == 8
    assert history.trials[Key(trial=0)].source == AS_IS
    assert history.trials[Key(trial=0, replicate=1)].config == plan.trial.config


def test_one_key_differs_from_the_run_as_it_is() -> None:
    plan = ablation()
    for row in plan.rows[1:]:
        assert row.choice is not None
        changed = {key for key, value in row.proposal.config.items() if plan.trial.config[key] != value}
        assert row.choice.key in changed
        assert changed <= {row.choice.key, "optim.weight_decay", "optim.momentum"}, "what it enables goes with it"


def test_what_breaks_a_constraint_is_settled_once_and_says_why(tmp_path: Path) -> None:
    history = run(ablation(), tmp_path, workers=1, order=0)
    (wide,) = [trial for trial in history.trials.values() if trial.source.startswith("model.width")]
    assert wide.state is State.INFEASIBLE
    assert "parameters <= 400 (is 500)" in wide.reason


def test_workers_and_arrival_change_nothing(tmp_path: Path) -> None:
    found = [
        run(ablation(), tmp_path / str(order), workers=workers, order=order) for order, workers in enumerate((1, 4))
    ]
    tables = [
        {key: (trial.seed, trial.state, [one.metrics for one in trial.records]) for key, trial in one.trials.items()}
        for one in found
    ]
    assert tables[0] == tables[1]


def test_more_seeds_go_on_with_those_that_were_trained(tmp_path: Path) -> None:
    journal = MemoryJournal()
    first = begun(run(ablation(2), tmp_path, workers=2, order=0, journal=journal))
    history = run(ablation(3), tmp_path, workers=2, order=0, journal=journal)
    assert begun(history)[: len(first)] == first
    assert len(history.trials) == len(first) + 4
    assert begun(history) == begun(run(ablation(3), tmp_path / "once", workers=1, order=1))


def test_a_choice_that_changes_nothing_is_named_and_not_trained() -> None:
    plan = ablation()
    same = replace(plan.search.settled(0, PARAMS, source=""), key=Key(trial=9))

    class Blind(type(plan.search)):  # type: ignore[misc]
        """As if the width changed nothing about the training."""

        def settled(self, number: int, params, *, source: str):  # type: ignore[no-untyped-def]
            return (
                same
                if params["model.width"] != PARAMS["model.width"]
                else super().settled(number, params, source=source)
            )

    search = Blind(
        **{name: getattr(plan.search, name) for name in ("spec", "space", "digest", "images", "code", "price")}
    )
    found = {one.key: one.why for one in replace(plan, search=search).untouched}
    assert found["model.width"] == "changes nothing here"
    assert set(found) == {"model.width", "model.family", "optim.lr"}


def test_a_trial_that_ran_out_of_memory_keeps_its_smaller_pieces() -> None:
    plan = ablation()
    small = ablation(config={**plan.trial.config, "train.micro_batch": 16})
    assert {row.proposal.config["train.micro_batch"] for row in small.rows} == {16}


def test_fresh_seeds_were_never_seen_and_begin_alike() -> None:
    few = fresh_seeds(3, "ablation", 2, seen=())
    assert fresh_seeds(3, "ablation", 5, seen=())[:2] == few
    other = fresh_seeds(3, "ablation", 2, seen=few[:1])
    assert other[0] == few[1]
    assert len({*other, *few}) == 3


def test_a_fixed_family_is_no_choice() -> None:
    tree = {"space": {"model.family": "lenet", "optim.lr": {"float": [1e-4, 1e-1], "log": True}}, "study": {}}
    space = spec_from_tree(tree, where="test", name="test").space
    (only,) = choices(space, {"optim.lr": 0.05}, pixels=8)
    assert only.key == "optim.lr"
    assert only.default == pytest.approx(space.default("lenet")["optim.lr"])
