"""Spaces: what may vary, drawn within its bounds, under the choice that enables it."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.families import Scalar
from isoflop.space import Choice, Float, Int, SearchSpace, random_suggester
from isoflop.study_spec import StudySpec

STUDY = StudySpec.model_validate({"name": "s", "data": "digits", "resources": {"threads": 2}})
SPACE = SearchSpace(
    dimensions=(
        Choice(
            key="model.family",
            options={
                "resnet": SearchSpace(
                    dimensions=(
                        Choice(
                            key="model.block",
                            options={
                                "basic": SearchSpace(),
                                "bottleneck": SearchSpace(
                                    dimensions=(Float(key="model.depth", low=0.25, high=1.0, step=0.25),)
                                ),
                            },
                        ),
                    ),
                    fixed={"model.stem": 2},
                ),
                "vit": SearchSpace(
                    dimensions=(Float(key="model.depth", low=0.5, high=2.0),),
                    fixed={"model.stem": 2, "optim.weight_decay": 0.3},
                ),
            },
        ),
        Float(key="optim.lr", low=1e-3, high=0.05, log=True),
        Int(key="augment.crop", low=0, high=4, step=2),
    ),
    fixed={"schedule.warmup": 0.2},
)
RESNET = {"model.family": "resnet", "model.block": "basic", "optim.lr": 0.01, "augment.crop": 2}
VIT = {"model.family": "vit", "model.depth": 1.0, "optim.lr": 0.01, "augment.crop": 2}
DRAWS = 20_000


def within_five_sigma(counts: Counter[object], shares: dict[object, float]) -> bool:
    """Whether each count lies within five standard deviations of a binomial's mean."""
    total = sum(counts.values())
    return set(counts) == set(shares) and all(
        abs(counts[one] - total * share) <= 5 * math.sqrt(total * share * (1 - share)) for one, share in shares.items()
    )


class Asked:
    """A suggester that answers the lowest and notes what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def suggest_float(self, name, low, high, *, step=None, log=False) -> float:
        self.names.append(name)
        return low

    def suggest_int(self, name, low, high, *, step=1, log=False) -> int:
        self.names.append(name)
        return low

    def suggest_categorical(self, name, choices) -> Scalar:
        self.names.append(name)
        return choices[-1]


def test_what_a_choice_does_not_enable_is_not_asked_for():
    asked = Asked()
    params = SPACE.sample(asked)
    assert asked.names == ["model.family", "model.depth", "optim.lr", "augment.crop"]
    assert params == {"model.family": "vit", "model.depth": 0.5, "optim.lr": 1e-3, "augment.crop": 0}


@given(seed=st.integers(0, 2**32))
def test_what_is_drawn_is_contained_and_makes_a_configuration(seed: int):
    params = SPACE.sample(random_suggester(seed))
    assert SPACE.contains(params)
    assert SPACE.strange(params) == {}
    config = SPACE.config(params, study=STUDY, data_digest="d").params()
    assert {key: config[key] for key in params} == params
    assert {key: config[key] for key in SPACE.fixed_by(params)} == SPACE.fixed_by(params)


@given(seed=st.integers(0, 2**32))
def test_equal_seeds_draw_equal_configurations(seed: int):
    assert SPACE.sample(random_suggester(seed)) == SPACE.sample(random_suggester(seed))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"optim.lr": 0.5}, "optim.lr"),
        ({"optim.lr": "0.01"}, "optim.lr"),
        ({"optim.lr": math.nan}, "optim.lr"),
        ({"augment.crop": 1}, "augment.crop"),
        ({"augment.crop": 2.0}, "augment.crop"),
        ({"augment.crop": False}, "augment.crop"),
        ({"model.block": "big"}, "model.block"),
        ({"model.family": "lenet"}, "model.family"),
        ({"model.depth": 0.5}, "model.depth"),
        ({"model.stem": 2}, "model.stem"),
        ({"optim.rl": 0.1}, "optim.rl"),
    ],
)
def test_what_could_not_be_drawn_is_strange(change: dict[str, Scalar], key: str):
    assert SPACE.contains(RESNET)
    assert not SPACE.contains(RESNET | change)
    assert key in SPACE.strange(RESNET | change)


def test_what_is_missing_is_strange():
    assert list(SPACE.strange({"model.family": "vit"})) == ["model.depth", "optim.lr", "augment.crop"]
    assert list(SPACE.strange({})) == ["model.family", "optim.lr", "augment.crop"]


def test_values_between_steps_are_not_contained():
    dimension = Float(key="k", low=0.1, high=0.7, step=0.2)
    assert [value for value in (0.1, 0.2, 0.3, 0.30000000000000004, 0.5, 0.7, 0.9) if dimension.contains(value)] == [
        0.1,
        0.3,
        0.30000000000000004,
        0.5,
        0.7,
    ]


def test_rounding_never_carries_a_step_over_the_bound():
    dimension = Float(key="k", low=0.1, high=0.3, step=0.1)
    assert 0.1 + 2 * 0.1 > 0.3, "or this test shows nothing"
    assert dimension.at(2) == dimension.nearest(1.0) == 0.3
    suggester = random_suggester(0)
    assert max(suggester.suggest_float("k", 0.1, 0.3, step=0.1) for _ in range(50)) == 0.3


@given(low=st.floats(-5, 5), step=st.floats(0.01, 3), steps=st.integers(1, 50), value=st.floats(-200, 200))
def test_the_nearest_legal_value_is_legal_and_the_nearest(low: float, step: float, steps: int, value: float):
    dimension = Float(key="k", low=low, high=low + step * steps, step=step)
    nearest = dimension.nearest(value)
    assert dimension.contains(nearest)
    assert dimension.size == steps + 1
    legal = [dimension.at(place) for place in range(steps + 1)]
    assert min(abs(one - value) for one in legal) >= abs(nearest - value) - 1e-9


@given(low=st.integers(-20, 20), step=st.integers(1, 9), steps=st.integers(1, 20), value=st.floats(-300, 300))
def test_the_nearest_legal_whole_number_is_legal_and_the_nearest(low: int, step: int, steps: int, value: float):
    dimension = Int(key="k", low=low, high=low + step * steps, step=step)
    nearest = dimension.nearest(value)
    assert dimension.contains(nearest)
    assert dimension.size == steps + 1
    assert abs(nearest - value) <= min(abs(low + step * place - value) for place in range(steps + 1)) + 1e-9


def test_a_recipe_stands_below_what_is_fixed_below_what_is_drawn_below_the_study():
    config = SPACE.config(VIT, study=STUDY, data_digest="abc").params()
    assert config["optim.name"] == "adamw", "the recipe of vit"
    assert config["optim.weight_decay"] == 0.3, "fixed in its branch, over the recipe's 0.05"
    assert config["schedule.warmup"] == 0.2, "fixed for all, over the recipe's 0.1"
    assert config["optim.lr"] == 0.01, "drawn, over the recipe's 0.001"
    assert (config["data.name"], config["data.digest"], config["train.threads"]) == ("digits", "abc", 2)
    assert (config["train.axis"], config["train.horizon"], config["train.reports"]) == ("epochs", 9.0, 9)
    assert SPACE.config(RESNET, study=STUDY, data_digest="").params()["optim.weight_decay"] == 5e-4


def test_a_familys_default_is_moved_into_the_bounds():
    assert SPACE.families() == ("resnet", "vit")
    assert SPACE.default("resnet") == {
        "model.family": "resnet",
        "model.block": "basic",
        "optim.lr": 0.05,
        "augment.crop": 0,
    }
    assert SPACE.default("vit") == {"model.family": "vit", "model.depth": 1.0, "optim.lr": 1e-3, "augment.crop": 0}
    assert all(SPACE.contains(SPACE.default(name)) for name in SPACE.families())


def test_a_default_that_is_no_choice_becomes_the_first():
    space = SearchSpace(
        dimensions=(Choice(key="model.width", options={0.5: SearchSpace(), 0.25: SearchSpace()}),),
        fixed={"model.family": "vit"},
    )
    assert space.families() == ("vit",)
    assert space.default("vit") == {"model.width": 0.5}


@pytest.mark.parametrize(
    ("dimension", "stored", "expected"),
    [
        (Int(key="model.resolution", low=8, high=32, step=4), 28, 28),
        (Int(key="model.resolution", low=8, high=32, step=4), 64, 32),
        (Int(key="model.resolution", low=8, high=32, step=4), None, 8),
        (Choice(key="model.resolution", options={20: SearchSpace(), None: SearchSpace()}), 28, None),
        (Int(key="train.micro_batch", low=8, high=32), 28, 8),
    ],
)
def test_the_default_resolution_is_that_of_the_images(dimension, stored, expected):
    space = SearchSpace(dimensions=(dimension,), fixed={"model.family": "vit"})
    assert space.default("vit", stored=stored) == {dimension.key: expected}
    assert space.complete({dimension.key: 20}, stored=stored) == {dimension.key: 20}


def test_the_keys_of_a_family_are_those_of_its_branch():
    assert {*SPACE.keys("vit")} < {*SPACE.every_key()}
    assert "model.block" in {*SPACE.keys("resnet")}
    assert "model.block" not in {*SPACE.keys("vit")}


def test_known_values_are_completed_by_defaults():
    known = {"model.family": "resnet", "model.block": "bottleneck", "optim.lr": 0.02}
    assert SPACE.complete(known) == {**known, "model.depth": 1.0, "augment.crop": 0}


def test_the_size_counts_each_branch_by_itself():
    depth = Float(key="model.depth", low=0.25, high=1.0, step=0.25)
    branch = SearchSpace(dimensions=(depth, Int(key="augment.crop", low=0, high=2)))
    choice = Choice(key="optim.name", options={"sgd": branch, "adamw": SearchSpace()})
    assert SearchSpace(dimensions=(choice,)).size() == 4 * 3 + 1
    assert SearchSpace(dimensions=(choice, Int(key="train.batch_size", low=1, high=5))).size() == 65
    assert SPACE.size() is None
    assert SearchSpace().size() == 1


def test_each_key_is_described_with_its_condition():
    rows = {(row["key"], row["when"]): (row["kind"], row["range"]) for row in SPACE.describe()}
    assert rows["model.depth", "model.block is bottleneck"] == ("float", "0.25 to 1 step 0.25")
    assert rows["model.depth", "model.family is vit"] == ("float", "0.5 to 2")
    assert rows["model.stem", "model.family is vit"] == ("fixed", "2")
    assert rows["optim.lr", ""] == ("float", "0.001 to 0.05 log")
    assert rows["augment.crop", ""] == ("int", "0 to 4 step 2")
    assert len(rows) == 10


def test_every_key_and_every_dimension_is_walked():
    assert {dimension.key for dimension in SPACE.walk()} == {*RESNET, *VIT}
    assert set(SPACE.every_key()) == {*RESNET, *VIT, "model.stem", "optim.weight_decay", "schedule.warmup"}


def test_random_floats_are_uniform():
    suggester = random_suggester(1)
    drawn = [suggester.suggest_float("x", 2.0, 4.0) for _ in range(DRAWS)]
    assert all(2.0 <= value <= 4.0 for value in drawn)
    assert within_five_sigma(Counter(int((value - 2) * 5) for value in drawn), dict.fromkeys(range(10), 0.1))


def test_random_floats_are_uniform_in_the_logarithm():
    suggester = random_suggester(2)
    drawn = [suggester.suggest_float("x", 1e-4, 1e-1, log=True) for _ in range(DRAWS)]
    assert all(1e-4 <= value <= 1e-1 for value in drawn)
    bins = Counter(min(int(2 * (math.log10(value) + 4)), 5) for value in drawn)
    assert within_five_sigma(bins, dict.fromkeys(range(6), 1 / 6))


def test_random_steps_reach_both_bounds_evenly():
    suggester = random_suggester(3)
    floats = Counter(round(suggester.suggest_float("x", 0.1, 0.7, step=0.2), 9) for _ in range(DRAWS))
    assert within_five_sigma(floats, dict.fromkeys((0.1, 0.3, 0.5, 0.7), 0.25))
    whole = Counter(suggester.suggest_int("x", -2, 7, step=3) for _ in range(DRAWS))
    assert within_five_sigma(whole, dict.fromkeys((-2, 1, 4, 7), 0.25))


def test_random_whole_numbers_are_uniform_in_the_logarithm():
    suggester = random_suggester(4)
    drawn = Counter(suggester.suggest_int("x", 1, 4, log=True) for _ in range(DRAWS))
    whole = math.log(4.5 / 0.5)
    assert within_five_sigma(drawn, {k: math.log((k + 0.5) / (k - 0.5)) / whole for k in range(1, 5)})


def test_random_choices_are_even():
    suggester = random_suggester(5)
    drawn = Counter(suggester.suggest_categorical("x", ["a", None, 3]) for _ in range(DRAWS))
    assert within_five_sigma(drawn, dict.fromkeys(("a", None, 3), 1 / 3))
