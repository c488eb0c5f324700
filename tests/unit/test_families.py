"""The table of families is legal by the rules of a configuration."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isoflop.config import ModelConfig, TrialConfig, default_of, known_keys
from isoflop.errors import UnknownError
from isoflop.families import BUILT_IN, Family, families, family
from isoflop.families.sizes import sizes
from isoflop.models import cost


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_a_family_is_legal_in_itself(row: Family):
    assert family(row.name) is row
    assert row.stem in row.stems
    assert min(row.alpha, row.beta, row.gamma) > 1
    assert all(values for values in row.knobs.values())
    assert not set(row.knobs) & set(ModelConfig.model_fields), "a knob must not hide a setting of all families"


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_a_familys_recipe_is_a_legal_configuration_and_its_default(row: Family):
    config = TrialConfig.from_params({"model.family": row.name, "data.name": "digits", **row.recipe}).params()
    assert {key: config[key] for key in row.recipe} == row.recipe
    assert set(row.recipe) <= known_keys(row.name)
    assert {key: default_of(key, row.name) for key in row.recipe} == row.recipe


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_every_default_is_a_legal_value(row: Family):
    defaults = {key: default_of(key, row.name) for key in known_keys(row.name)}
    config = TrialConfig.from_params({**defaults, "data.name": "digits"}).params()
    assert {key: config[key] for key in defaults} == defaults


def test_a_knob_belongs_to_its_family_alone():
    assert "model.block" in known_keys("resnet")
    assert "model.block" not in known_keys("vit")
    assert "model.block" in known_keys()


def test_only_a_family_with_residual_paths_has_any_to_drop():
    assert "model.drop_path" in known_keys("resnet")
    assert "model.drop_path" not in known_keys("vgg")
    assert "model.drop_path" in known_keys()


def test_parts_are_knobs_whose_first_value_is_the_default():
    assert family("lenet").knobs["activation"][0] == default_of("model.activation", "lenet") == "tanh"
    assert family("vgg").knobs["norm"][0] == default_of("model.norm", "vgg") == "none"


def test_an_unknown_family_is_told_with_the_nearest():
    with pytest.raises(UnknownError, match=r"model.family: unknown family 'resnt'; did you mean 'resnet'\?"):
        family("resnt")


def test_a_name_is_one_familys():
    assert len({row.name for row in BUILT_IN}) == len(BUILT_IN)
    assert set(families()) >= {row.name for row in BUILT_IN}


REMEDY = "run python -m benchmarks.families"


def test_every_published_net_has_a_size():
    known = {row.name: {variant: row.pixels(variant) for variant in row.variants or ("",)} for row in BUILT_IN}
    stored = {row.name: {key: size.pixels for key, size in sizes(row.name).items()} for row in BUILT_IN}
    assert stored == known, REMEDY
    assert sizes("another") == {}


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: row.name)
def test_sizes_are_what_is_counted(row: Family):
    variant, size = next(iter(sizes(row.name).items()))
    image = (3, size.pixels, size.pixels)
    found = cost(ModelConfig.model_validate(row.canonical(variant)), image=image, classes=1000)
    assert (size.parameters, size.flops) == (found.parameters, found.flops), REMEDY


def test_words_load_without_torch_ray_optuna_or_numpy():
    code = (
        "import sys, isoflop.spec, isoflop.schema, isoflop.records, isoflop.cli.listing\n"
        "print([m for m in ('torch', 'ray', 'mlflow', 'optuna', 'numpy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
