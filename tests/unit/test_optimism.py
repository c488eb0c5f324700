"""How much luck there is in the best of many, against simulations whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isoflop.optimism import optimism, spread_of_seeds


def trained(rng: np.random.Generator, accuracies: np.ndarray, images: int) -> np.ndarray:
    """Hits of nets with these accuracies on images that are as hard for all."""
    image = 0.8 * rng.standard_normal(images)
    return 0.6 * rng.standard_normal((len(accuracies), images)) + image < stats.norm.ppf(accuracies)[:, None]


def simulated(
    *, differ: float = 0.0, effect: float = 0.0, spread: float | None = None, rounds: int = 60
) -> tuple[float, float]:
    """Mean luck as estimated and as it is, of the best of 20 recipes on 1,000 images."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(rounds):
        recipes = 0.9 + differ * rng.standard_normal(20)
        hits = trained(rng, recipes + effect * rng.standard_normal(20), 1000)
        luck = optimism(hits, spread=spread, draws=100)
        found.append((luck.luck, luck.raw - recipes[hits.mean(axis=1).argmax()]))
    estimated, true = np.mean(found, axis=0)
    return float(estimated), float(true)


def test_of_equals_the_luck_is_estimated_without_bias() -> None:
    estimated, true = simulated()
    assert true > 0.01  # one of 20 equals looks a point better
    assert estimated == pytest.approx(true, rel=0.2)  # 60 rounds stray by 6 %


def test_of_unequals_the_estimate_is_smaller_and_cautious() -> None:
    estimated, true = simulated(differ=0.02)
    assert 0.8 * true < estimated < 2.2 * true
    assert estimated < 0.75 * simulated()[0]


def test_the_seeds_luck_counts_where_its_spread_is_known() -> None:
    estimated, true = simulated(effect=0.01, spread=0.01)
    assert estimated == pytest.approx(true, rel=0.2)
    assert simulated(effect=0.01)[0] < 0.85 * true


def test_one_trial_was_not_picked() -> None:
    found = optimism(trained(np.random.default_rng(1), np.asarray([0.9]), 2000))
    assert found.luck == pytest.approx(0.0, abs=0.001)
    assert (found.trials, found.images, found.spread) == (1, 2000, None)
    assert found.to_dict()["luck"] == found.luck


def test_equal_hits_give_equal_estimates() -> None:
    hits = trained(np.random.default_rng(2), np.full(5, 0.9), 300)
    assert optimism(hits, draws=60) == optimism(hits, draws=60)


def test_spread_of_seeds_is_found_beside_chance_on_images() -> None:
    rng = np.random.default_rng(3)
    rows = [trained(rng, 0.9 + 0.01 * rng.standard_normal(3), 5000) for _ in range(60)]
    assert spread_of_seeds(rows) == pytest.approx(0.01, rel=0.25)
    steady = [trained(rng, np.full(3, 0.9), 5000) for _ in range(60)]
    assert (spread_of_seeds(steady) or 0.0) < 0.002
    assert spread_of_seeds([steady[0][:1]]) is None
