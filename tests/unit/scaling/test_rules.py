"""How a recipe follows a net's size."""

from __future__ import annotations

import pytest

from isoflop.config import TrialConfig, known_keys
from isoflop.config.optim import Optimizer
from isoflop.errors import UnknownError
from isoflop.scaling import Extent
from isoflop.scaling.rules import ADAPTIVE, DECOUPLED, RULES, adapted

BASE = Extent(depth=10, width=32, resolution=28, flops=1e6)
GROWN = Extent(depth=15, width=64, resolution=32, flops=16e6)
RECIPE = {
    "optim.name": "adamw",
    "optim.lr": 0.01,
    "optim.weight_decay": 0.05,
    "model.drop_path": 0.2,
    "model.dropout": 0.1,
}


def test_every_rule_changes_what_it_says():
    found = adapted(RECIPE, BASE, GROWN)
    assert found == pytest.approx(
        {
            "optim.lr": 0.005,
            "optim.weight_decay": 0.1,
            "model.drop_path": 0.3,
            "model.dropout": 0.1 + 4 * 0.3 / 6.57,
        }
    )


def test_learning_rate_times_decoupled_decay_stays():
    found = adapted(RECIPE, BASE, GROWN)
    assert found["optim.lr"] * found["optim.weight_decay"] == pytest.approx(0.01 * 0.05)


@pytest.mark.parametrize("name", RULES)
def test_each_rule_can_be_left_out(name):
    others = [rule for rule in RULES if rule != name]
    full, without = adapted(RECIPE, BASE, GROWN), adapted(RECIPE, BASE, GROWN, others)
    assert without == {key: value for key, value in full.items() if key != RULES[name].key}
    assert adapted(RECIPE, BASE, GROWN, []) == {}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_rules_set_keys_that_there_are_and_say_where_they_come_from(rule):
    assert rule.key in known_keys()
    assert "arXiv" in rule.source


def test_the_base_itself_keeps_its_recipe():
    assert adapted(RECIPE, BASE, BASE) == {}


def test_a_smaller_net_is_regularized_less_and_learns_faster():
    found = adapted(RECIPE, GROWN, BASE)
    assert found["optim.lr"] == pytest.approx(0.02)
    assert found["model.drop_path"] == pytest.approx(0.2 * 10 / 15)
    assert found["model.dropout"] == 0.0


@pytest.mark.parametrize("name", ["sgd", "lamb", "muon"])
def test_optimizers_that_are_not_adaptive_keep_rate_and_decay(name):
    assert not {"optim.lr", "optim.weight_decay"} & adapted(RECIPE | {"optim.name": name}, BASE, GROWN).keys()


def test_coupled_decay_of_adam_is_left_as_it_is():
    assert "optim.weight_decay" not in adapted(RECIPE | {"optim.name": "adam"}, BASE, GROWN)


def test_the_optimizers_of_the_rules_are_optimizers():
    assert {*Optimizer.__args__} >= ADAPTIVE | DECOUPLED
    assert DECOUPLED < ADAPTIVE


def test_what_is_not_dropped_stays_so():
    found = adapted(RECIPE | {"model.drop_path": 0.0, "model.dropout": 0.0}, BASE, GROWN)
    assert found.keys() == {"optim.lr", "optim.weight_decay"}


def test_rates_do_not_grow_beyond_half_and_no_higher_one_is_lowered():
    deep = Extent(depth=1000, width=32, resolution=28, flops=1e12)
    assert adapted(RECIPE, BASE, deep) == pytest.approx({"model.drop_path": 0.5, "model.dropout": 0.5})
    assert adapted(RECIPE | {"model.drop_path": 0.7, "model.dropout": 0.8}, BASE, deep) == {}


def test_a_grown_recipe_is_a_legal_configuration():
    params = {"model.family": "resnet", "data.name": "digits", "data.digest": "0" * 8, **RECIPE}
    grown = TrialConfig.from_params({**params, **adapted(params, BASE, GROWN)})
    assert grown.optim.lr == pytest.approx(0.005)


def test_a_rule_that_there_is_not_is_refused_by_name():
    with pytest.raises(UnknownError, match="learning_rate"):
        adapted(RECIPE, BASE, GROWN, ["learning_rte"])
