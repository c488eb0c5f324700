"""Intervals, paired tests and tie groups against references, and whether intervals hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from isoflop.statistics import Part, hits_interval, holm, interval, multiple, paired, pairwise, spreads, tie_groups


def hits(rows: list[list[int]]) -> np.ndarray:
    return np.asarray(rows, dtype=bool)


def draw(rng: np.random.Generator, *, mean: float, seeds: int, images: int, effect: float) -> np.ndarray:
    """Hits whose true mean accuracy is `mean`: images of unlike difficulty, seeds with an effect of their own."""
    difficulty = rng.beta(mean, 1 - mean, images)
    return rng.random((seeds, images)) < difficulty + rng.normal(0, effect, (seeds, 1))


def test_interval_over_seeds_is_students() -> None:
    values = [0.91, 0.93, 0.90]
    found = interval(values)
    low, high = stats.t.interval(0.95, df=2, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(np.mean(values))
    assert found.n == 3


def test_one_seed_alone_says_nothing_of_its_spread() -> None:
    found = interval([0.9])
    assert found.mean == 0.9
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("right", [0, 1, 351, 359, 360])
def test_one_seed_on_images_is_wilsons_interval(right: int) -> None:
    found = hits_interval(np.arange(360)[None] < right)
    known = stats.binomtest(right, 360).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, 360, method="wilson"), abs=1e-12)


def test_seeds_that_agree_on_every_image_are_worth_one() -> None:
    row = np.arange(360) < 350
    one, three = hits_interval(row[None]), hits_interval(np.repeat(row[None], 3, axis=0))
    assert (three.low, three.high) == pytest.approx((one.low, one.high))


def test_seeds_that_agree_by_luck_are_no_surer_than_independent_answers() -> None:
    found = hits_interval(hits([[1] * 19 + [0], [0] + [1] * 19]))
    known = stats.binomtest(38, 40).proportion_ci(method="wilson")
    assert found.mean == 0.95
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_no_interval_leaves_the_unit_range() -> None:
    found = hits_interval(hits([[1] * 10, [1] * 10, [0] * 10]))
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("mean", "seeds", "images", "effect"),
    [(0.9, 3, 360, 0.0), (0.9, 3, 360, 0.02), (0.7, 3, 2000, 0.02), (0.7, 5, 500, 0.01), (0.95, 1, 360, 0.0)],
)
def test_interval_holds_the_true_accuracy_95_times_in_100(mean: float, seeds: int, images: int, effect: float) -> None:
    rng = np.random.default_rng(0)
    found = [hits_interval(draw(rng, mean=mean, seeds=seeds, images=images, effect=effect)) for _ in range(600)]
    covered = np.mean([one.low <= mean <= one.high for one in found])
    assert 0.93 <= covered <= 0.97  # 600 draws at 95 % stray by 0.9 points


@pytest.mark.parametrize(("seeds", "low", "high"), [(2, 0.93, 0.972), (3, 0.945, 0.966), (5, 0.949, 0.960)])
def test_the_multiple_holds_the_level_whatever_the_seeds_share(seeds: int, low: float, high: float) -> None:
    """Integrated over what the variance between seeds may come out as, the true share going from 0 to 1."""
    drawn = stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, seeds - 1) / (seeds - 1)
    for share in (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        half = [
            multiple(0.95, Part(variance=share * one, freedom=seeds - 1), 1 - share)
            * math.sqrt(share * one + 1 - share)
            for one in drawn
        ]
        assert low <= np.mean(2 * stats.norm.cdf(half) - 1) <= high


def test_the_multiple_is_the_normals_without_seeds_and_students_without_images() -> None:
    assert multiple(0.95, Part(variance=0.0, freedom=math.inf), 1.0) == pytest.approx(stats.norm.isf(0.025))
    assert multiple(0.95, Part(variance=1.0, freedom=2), 0.0) == pytest.approx(stats.t.isf(0.025, 2))
    assert multiple(1 - 1e-12, Part(variance=1.0, freedom=2), 0.0) == pytest.approx(stats.t.isf(5e-13, 2), rel=1e-3)


def test_seeds_alone_would_not_hold_it() -> None:
    """The reason for the images' part: three seeds on one small test set agree more than the truth allows."""
    rng = np.random.default_rng(0)
    found = [draw(rng, mean=0.9, seeds=3, images=360, effect=0.0).mean(axis=1) for _ in range(300)]
    covered = np.mean([one.low <= 0.9 <= one.high for one in map(interval, found)])
    assert covered < 0.9


def test_paired_of_single_trainings_is_mcnemars() -> None:
    a = hits([[1] * 20 + [1] * 9 + [0] * 2 + [0] * 4])
    b = hits([[1] * 20 + [0] * 9 + [1] * 2 + [0] * 4])
    assert paired(a, b) == pytest.approx(stats.binomtest(2, 11).pvalue)
    assert paired(a, b) == pytest.approx(mcnemar([[20, 9], [2, 4]], exact=True).pvalue)
    assert paired(a, b) == paired(b, a)
    assert paired(a, a) == 1.0


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("effect", [0.0, 0.02])
def test_equals_are_seldom_told_apart(seeds: int, effect: float) -> None:
    rng = np.random.default_rng(1)
    told = []
    for _ in range(200):
        difficulty = rng.beta(0.9, 0.1, 500)
        shift = rng.normal(0, effect, (2, seeds, 1)) if seeds > 1 else 0.0
        a, b = rng.random((2, seeds, 500)) < difficulty + shift
        told.append(paired(a, b) < 0.05)
    assert np.mean(told) <= 0.075  # 5 % and 1.6 standard errors of 200 draws


def test_unequals_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    better, worse = rng.random((3, 1000)) < 0.97, rng.random((3, 1000)) < 0.90
    assert paired(better, worse) < 0.01
    assert paired(worse, better) == paired(better, worse)


def test_a_gap_that_differs_between_seeds_is_no_gap() -> None:
    """All images agree, yet one training of each side decides: three seeds do not settle it."""
    good, bad = [1] * 1000, [1] * 900 + [0] * 100
    assert paired(hits([good, good, bad]), hits([bad, bad, good])) > 0.3


def test_four_images_are_not_enough_however_many_seeds_agree() -> None:
    """McNemar's exact test gives 0.125 here; copies of one training must not give less."""
    a, b = hits([[1] * 360] * 3), hits([[1] * 356 + [0] * 4] * 3)
    assert paired(a, b) >= 0.12


def test_paired_wants_the_same_images() -> None:
    with pytest.raises(ValueError, match="same images"):
        paired(hits([[1, 0]]), hits([[1, 0, 1]]))


def test_holm_matches_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    drawn = np.random.default_rng(4).random(30) ** 4
    assert holm(drawn) == pytest.approx(multipletests(drawn, method="holm")[1])


def test_pairwise_is_symmetric_adjusted_and_blind_without_hits() -> None:
    rng = np.random.default_rng(3)
    good, bad = rng.random((2, 800)) < 0.95, rng.random((2, 800)) < 0.8
    found = pairwise([good, bad, None])
    assert found == pytest.approx(found.T)
    assert found[0, 1] == pytest.approx(3 * paired(good, bad))
    assert found[0, 2] == found[1, 2] == 1.0


def board(rng: np.random.Generator, effect: float, better: float = 0.0, rows: int = 20) -> list[np.ndarray]:
    """Rows of equals on 2,000 images and three seeds, the first better than the others."""
    difficulty = rng.beta(0.9, 0.1, 2000)
    gains = np.asarray([better] + [0.0] * (rows - 1))
    return [rng.random((3, 2000)) < difficulty + gain + rng.normal(0, effect, (3, 1)) for gain in gains]


def told(found: list[np.ndarray]) -> bool:
    return max(tie_groups([float(row.mean()) for row in found], pairwise(found))) > 1


def test_twenty_equals_stay_one_tie_group() -> None:
    rng = np.random.default_rng(5)
    assert np.mean([told(board(rng, 0.005)) for _ in range(30)]) <= 0.14  # 5 % and 2.3 standard errors of 30 boards


def test_of_twenty_rows_with_three_seeds_a_better_one_is_found() -> None:
    """Alone, two degrees of freedom at 190 comparisons would ask for 60 standard errors."""
    rng = np.random.default_rng(6)
    assert np.mean([told(board(rng, 0.005, better=0.06)) for _ in range(5)]) == 1.0


def test_rows_that_are_alike_share_one_variance_of_the_seeds() -> None:
    def row(*right: int) -> np.ndarray:
        return np.asarray([np.arange(1000) < one for one in right])

    rows = [row(900, 910, 920), row(930, 920, 910), row(905, 915, 930)]
    found, own = spreads(rows), [one.mean(axis=1).var(ddof=1) / 3 for one in rows]
    assert [part.freedom for part in found] == [6.0] * 3
    assert [part.variance for part in found] == pytest.approx([np.mean(own)] * 3)


def test_rows_whose_seeds_vary_unlike_are_drawn_less() -> None:
    rng = np.random.default_rng(8)
    rows = [*board(rng, 0.0, rows=6), *board(rng, 0.3, rows=6)]
    found, own = spreads(rows), [row.mean(axis=1).var(ddof=1) / 3 for row in rows]
    assert all(2 < part.freedom < 6 for part in found)
    assert np.mean([part.variance for part in found[6:]]) > 5 * np.mean([part.variance for part in found[:6]])
    assert stats.spearmanr([part.variance for part in found], own).statistic == pytest.approx(1.0)


def test_one_seed_among_several_has_the_variance_of_the_others() -> None:
    rows = board(np.random.default_rng(9), 0.02, rows=2)
    many, one = spreads([rows[0], rows[1][:1]])
    assert one.variance == pytest.approx(3 * many.variance)
    assert many.freedom == one.freedom == 2


def test_seeds_that_all_agree_vary_by_nothing() -> None:
    row = np.repeat([np.arange(100) < 90], 3, axis=0)
    assert [part.variance for part in spreads([row, row])] == [0.0, 0.0]


def test_tie_groups_hold_those_that_the_best_does_not_beat() -> None:
    p_values = np.ones((4, 4))
    p_values[0, 1] = p_values[1, 0] = 0.01  # the best beats the second, not the third
    p_values[0, 3] = p_values[3, 0] = 0.001
    p_values[1, 3] = p_values[3, 1] = 0.04
    assert tie_groups([0.99, 0.98, 0.97, 0.5], p_values) == (1, 2, 1, 3)


def test_tie_groups_of_none_one_and_unknown() -> None:
    assert tie_groups([], np.ones((0, 0))) == ()
    assert tie_groups([0.3], np.ones((1, 1))) == (1,)
    assert tie_groups([math.nan, 0.5], np.asarray([[1.0, 0.0], [0.0, 1.0]])) == (2, 1)
