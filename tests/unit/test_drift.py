"""What changed between a study that stands and what it is asked to go on with."""

from __future__ import annotations

import copy
from typing import Any

from isoflop.drift import drift, widened
from isoflop.records import Trial
from isoflop.spec import spec_from_tree

PAYLOAD: dict[str, Any] = {
    "spec": {
        "space": {"model.family": "lenet", "optim.lr": {"float": [0.001, 0.1], "log": True}},
        "study": {"name": "s", "seed": 0, "budget": {"trials": 6}, "resources": {"workers": None, "threads": 1}},
    },
    "data": {"digest": "d"},
    "provenance": {"code": "c"},
}


def changed(*path: str, to: object) -> list[str]:
    now = copy.deepcopy(PAYLOAD)
    node = now
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return drift(PAYLOAD, now)


def test_nothing_changed():
    assert drift(PAYLOAD, copy.deepcopy(PAYLOAD)) == []


def test_every_part_that_decides_numbers_is_named_with_both_values():
    assert changed("spec", "space", "model.family", to="vit") == ["space.model.family: was lenet, is vit"]
    assert changed("spec", "study", "seed", to=1) == ["study.seed: was 0, is 1"]
    assert changed("spec", "study", "resources", "threads", to=2) == ["study.resources.threads: was 1, is 2"]
    assert changed("data", "digest", to="e") == ["data.digest: was d, is e"]
    assert changed("provenance", "code", to="e") == ["code.version: was c, is e"]
    assert changed("spec", "space", "augment.crop", to=1) == ["space.augment.crop: was nothing, is 1"]


def test_budget_and_workers_may_change():
    assert changed("spec", "study", "budget", "trials", to=60) == []
    assert changed("spec", "study", "resources", "workers", to=8) == []


def test_a_setting_that_an_older_study_did_not_know_is_unchanged():
    assert changed("spec", "study", "asynchronous", to=False) == []


def test_a_setting_that_an_older_study_did_not_know_had_its_default():
    assert changed("spec", "study", "asynchronous", to=True) == ["study.asynchronous: was False, is True"]
    assert "study.equal.flops: was nothing, is 1000000.0" in changed("spec", "study", "equal", to={"flops": 1e6})


def test_other_flops_are_another_study():
    before = copy.deepcopy(PAYLOAD)
    before["spec"]["study"]["equal"] = {"flops": 1e6}
    now = copy.deepcopy(before)
    assert drift(before, now) == []
    now["spec"]["study"]["equal"] = {"flops": 2e6, "by": "depth"}
    assert drift(before, now) == [
        "study.equal.by: was width, is depth",
        "study.equal.flops: was 1000000.0, is 2000000.0",
    ]


def test_a_wider_space_has_every_trial_and_a_narrower_one_names_those_it_lacks():
    trials = [Trial(number=3, params={"optim.lr": 0.05})]

    def space(low: float, high: float) -> Any:
        tree = {"space": {"model.family": "lenet", "optim.lr": {"float": [low, high]}}, "study": {"name": "s"}}
        return spec_from_tree(tree, where="test", name="s").space

    assert widened(space(0.001, 0.5), trials) == []
    assert widened(space(0.001, 0.01), trials) == ["trial 3: optim.lr 0.05 is not in this space"]
