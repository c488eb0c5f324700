"""Recipes that take seconds to show what they are for do so; the others stand in `benchmarks.recipes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.recipes.averaging import exponential, stochastic
from benchmarks.recipes.recomputing import recomputed
from benchmarks.recipes.row import Lab, Recipe
from benchmarks.recipes.weighting import effective, sampled, weighted
from isoflop.data import prepare


@pytest.mark.parametrize("recipe", [exponential, stochastic, weighted, effective, sampled, recomputed])
def test_a_recipe_does_its_job(recipe: Recipe, tmp_path: Path):
    prepare("digits", root=tmp_path / "data")
    row = recipe(Lab(folder=tmp_path, seeds=range(2), quick=True))
    assert row.difference.mean > 0
