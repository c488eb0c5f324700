"""Recipes drawn over all sections of a configuration repeat, whole and cut; benchmarks/recipes_repeat.py has more."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from benchmarks.recipes_repeat import measure, numbers, recipes
from isoflop.config import SECTIONS, TrialConfig
from isoflop.home import Home

DRAWN = [*islice(recipes(1), 4)]


@pytest.mark.parametrize("recipe", DRAWN, ids=range(len(DRAWN)))
def test_a_recipe_drawn_at_random_repeats_and_resumes(recipe: dict[str, object], home: Home, tmp_path: Path):
    found = measure(recipe, home.data / "digits", tmp_path, numbers)  # type: ignore[arg-type]
    assert found.repeats
    assert found.resumes


def test_recipes_set_keys_of_every_section():
    plain = TrialConfig.from_params({"model.family": "resnet", "data.name": "digits"}).params()
    changed = {
        key.split(".")[0] for recipe in islice(recipes(0), 30) for key in recipe if recipe[key] != plain.get(key)
    }
    assert changed >= {*SECTIONS}
