"""Effects of changes and shortfalls of parts, against scipy, statsmodels and simulations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmarks.effects import trainings
from isoflop.effects import effects, shortfalls


def test_values_of_one_change_are_students_paired_test() -> None:
    base, other = np.asarray([0.9, 0.91, 0.93, 0.92]), np.asarray([0.88, 0.905, 0.9, 0.91])
    (found,) = effects([(base - other)[:, None]])
    known = stats.ttest_rel(base, other)
    ends = known.confidence_interval()
    assert found.interval.mean == pytest.approx((base - other).mean())
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))
    assert found.p == pytest.approx(known.pvalue)
    assert found.told == (known.pvalue < 0.05)


def test_one_seed_on_images_is_mcnemars_test() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random(200) < 0.9, rng.random(200) < 0.8
    (found,) = effects([(one.astype(float) - other)[None]])
    table = [[(one & other).sum(), (one & ~other).sum()], [(~one & other).sum(), (~one & ~other).sum()]]
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert found.interval.low < found.interval.mean < found.interval.high


def test_one_seed_of_a_value_tells_nothing() -> None:
    (found,) = effects([np.asarray([[0.03]])])
    assert found.interval.mean == 0.03
    assert math.isnan(found.interval.low)
    assert math.isnan(found.p)
    assert not found.told
    assert effects([]) == []


def test_p_values_are_holms_and_agree_with_the_intervals() -> None:
    rng = np.random.default_rng(1)
    rows = [rng.normal(shift, 0.01, (5, 1)) for shift in (0.0, 0.01, 0.03, 0.05)]
    found = effects(rows)
    levels = [1e-9, 0.5, 0.9, 0.95, 0.99]
    for place, one in enumerate(found):
        inside = [effects(rows, level)[place].interval for level in levels]
        widths = [interval.high - interval.low for interval in inside]
        assert widths == sorted(widths)
        assert inside[3].low == one.interval.low
    raw = [_own(rows, place) for place in range(4)]
    assert [one.p for one in found] == pytest.approx(multipletests(raw, method="holm")[1], rel=1e-4)


def _own(rows: list[np.ndarray], place: int) -> float:
    """The level at which an interval just holds 0, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        level = (low + high) / 2
        interval = effects(rows, level)[place].interval
        low, high = (level, high) if interval.low > 0 or interval.high < 0 else (low, level)
    return 1 - low


@pytest.mark.parametrize(("effect", "alike"), [(0.0, 0.0), (0.4, 0.0), (0.4, 0.7)])
@pytest.mark.parametrize("images", [100, 1000])
def test_intervals_of_equals_hold_0_and_few_are_told(images: int, effect: float, alike: float) -> None:
    rng, held, told, boards = np.random.default_rng(0), 0, 0, 250
    for _ in range(boards):
        base, *rest = trainings(rng, 6, 3, images, effect=effect, alike=alike).astype(float)
        found = effects([base - one for one in rest])
        held += sum(one.interval.low <= 0 <= one.interval.high for one in found)
        told += any(one.told for one in found)
    assert 0.935 <= held / (5 * boards) <= 0.985
    assert told / boards <= 0.07


def test_seeds_that_agree_by_luck_tell_nothing() -> None:
    difference = np.zeros((2, 100))
    difference[0, 3] = difference[1, 60] = 1
    (found,) = effects([difference])
    assert found.interval.low < 0 < found.interval.mean
    assert not found.told


def test_seeds_in_common_make_intervals_narrower() -> None:
    def width(alike: float) -> float:
        rng = np.random.default_rng(0)
        found = []
        for _ in range(50):
            base, *rest = trainings(rng, 6, 3, 1000, effect=0.4, alike=alike).astype(float)
            found += [one.interval.high - one.interval.low for one in effects([base - row for row in rest])]
        return float(np.mean(found))

    assert width(0.7) < 0.8 * width(0.0)


def test_a_change_that_matters_is_told() -> None:
    rng, found = np.random.default_rng(0), 0
    for _ in range(50):
        rows = trainings(rng, 5, 3, 1000, effect=0.1, alike=0.0).astype(float)
        rows[1] *= rng.random(rows[1].shape) < 0.95
        gains = effects([rows[0] - one for one in rows[1:]])
        found += gains[0].told
        assert gains[0].interval.mean > 0
    assert found >= 45


def test_one_seed_falls_short_by_fishers_exact_test() -> None:
    rng = np.random.default_rng(0)
    hits, part = rng.random((1, 120)) < 0.8, np.arange(120) < 30
    table = [[(hits[0] & part).sum(), (hits[0] & ~part).sum()], [(~hits[0] & part).sum(), (~hits[0] & ~part).sum()]]
    known = stats.fisher_exact(table, alternative="less").pvalue
    assert shortfalls(hits, [part]) == pytest.approx([known])


def test_all_or_none_of_the_images_fall_short_of_nothing() -> None:
    hits = np.random.default_rng(0).random((3, 40)) < 0.8
    everything, nothing = np.ones(40, dtype=bool), np.zeros(40, dtype=bool)
    found = shortfalls(hits, [everything, nothing, np.arange(40) < 20])
    assert [math.isnan(p) for p in found] == [True, True, False]


def test_a_part_that_is_better_falls_not_short() -> None:
    hits = np.random.default_rng(0).random((3, 400)) < 0.7
    part = np.arange(400) < 100
    hits[:, part] = True
    better, worse = shortfalls(hits, [part, ~part])
    assert better > 0.99
    assert worse < 0.01


@pytest.mark.parametrize(("seeds", "images", "parts"), [(1, 300, 10), (2, 90, 20), (3, 90, 20), (3, 600, 6)])
def test_parts_that_are_alike_are_seldom_told(seeds: int, images: int, parts: int) -> None:
    rng, told, times = np.random.default_rng(0), 0, 150
    masks = [np.arange(images) % parts == place for place in range(parts)]
    for _ in range(times):
        (hits,) = trainings(rng, 1, seeds, images, effect=0.2, alike=0.0)
        told += min(shortfalls(hits, masks)) * parts < 0.05
    assert told / times <= 0.06


def test_a_part_that_is_worse_is_told() -> None:
    rng, told, times = np.random.default_rng(0), 0, 50
    masks = [np.arange(1000) % 10 == place for place in range(10)]
    for _ in range(times):
        (hits,) = trainings(rng, 1, 3, 1000, effect=0.2, alike=0.0)
        hits[:, masks[0]] &= rng.random((1, 100)) < 0.8
        told += shortfalls(hits, masks)[0] * 10 < 0.05
    assert told / times >= 0.9
