"""How sure a number is: intervals over few seeds and a finite set of images, paired tests, tie groups.

A share of hits, such as the accuracy, that n trainings reach on m images is uncertain twice: other seeds give other
nets, and other images other hits. The two are crossed (every net sees every image), so with `hits` (n, m) the variance
of the mean is

    s^2 / n  +  (v - e / n) / m

s^2: variance between the seeds' means; v: variance over images of the mean over seeds; e: mean over images of the
variance between seeds. `s^2` holds what chance does on single images, so that is taken out of the images' part (two-way
random effects, the moment estimator of Searle, Casella & McCulloch 1992, Variance components, chapter 4). Why both
parts belong in it: Bouthillier et al. 2021, Accounting for variance in machine learning benchmarks, arXiv 2103.03098.

The seeds' part is known with n - 1 degrees of freedom, the images' part as good as exactly. No multiple of the standard
error holds its level whatever the seeds' share r of the variance (it is Behrens' and Fisher's problem). Here it is

    z + (t - z) * r^1.25

between the quantiles of the normal and of Student's t with the seeds' degrees of freedom. The exponent is 1 in Cochran
& Cox 1950 (Experimental designs, section 4.14), which is too wide: at 95 % and 3 seeds it covers up to 97.1 %.
Satterthwaite's degrees of freedom cover 92.2 % at worst. With 1.25 it is 94.7 to 96.5 %, with 5 seeds 95.0 to 95.9 %
and with 2 seeds 93.0 to 97.1 %, for every r (integrated in the tests).

scipy is imported where it is used: it takes half a second, and whoever only reads studies needs none of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Hits: TypeAlias = npt.NDArray[np.bool_]
"""Which images each training classified rightly: (seeds, images)."""
Scores: TypeAlias = Hits | Floats
"""One number for each training and image: (seeds, images)."""

EXPONENT = 1.25
"""Of the seeds' share of the variance; see above."""
SMALLEST = 1e-12
"""P-values are not told apart below this."""
FIRM = 1e4
"""As many degrees of freedom count as infinitely many."""
LEAST_SHARE = 0.05
"""Of the pooled variance between seeds, the least that a row's logarithm is taken of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean over seeds and where the true one lies at the level asked; NaN ends where nothing is known of that."""

    mean: float
    low: float
    high: float
    n: int
    """Seeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The seeds' part of the variance of a mean."""

    variance: float
    freedom: float
    """Degrees of freedom; infinite where nothing is known of it, and the variance is 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """What a paired test needs of one set of trainings."""

    scores: Floats
    """Share of seeds that answered each image rightly."""
    chance: float
    part: Part
    single: bool
    """Whether it is one training."""


def interval(values: Sequence[float], level: float = 0.95, *, overlap: float = 0.0) -> Interval:
    """Mean of one value a seed, with Student's t-interval over seeds; its ends are NaN with one seed.

    `overlap` is for values that share training images: images that each is measured on over those that it was trained
    on, which is added to 1/n in the variance of the mean (Nadeau & Bengio 2003, Machine Learning 52, section 3).
    """
    data = np.asarray(values, dtype=np.float64)
    mean = float(data.mean()) if len(data) else math.nan
    if len(data) <= 1:
        return Interval(mean=mean, low=math.nan, high=math.nan, n=len(data))
    half = quantile(level, len(data) - 1) * float(data.std(ddof=1)) / math.sqrt(len(data) / (1 + len(data) * overlap))
    return Interval(mean=mean, low=mean - half, high=mean + half, n=len(data))


def hits_interval(hits: Hits, level: float = 0.95) -> Interval:
    """Mean share of hits with an interval over seeds and images, inside [0, 1].

    Wilson's score interval (1927, JASA 22) with the seeds' part added: every p for which (p - mean)^2 is no more than
    q^2 (seeds' part + r p (1 - p) / m), where q is the module's multiple of the standard error and r the share of the
    binomial variance that is the images' own. With one seed it is Wilson's interval, and says nothing of other seeds.
    Seeds may agree by luck: it is never narrower than if all answers were independent.
    """
    seeds, images = hits.shape
    mean = float(hits.mean())
    own, binomial, part = images_part(hits.mean(axis=0), chance_part(hits)), mean * (1 - mean), _seeds(hits)
    share = max(own * (images - 1), binomial / seeds - images * part.variance) / binomial if binomial else 1.0
    errors = multiple(level, part, own) ** 2
    low, high = _solve(mean, errors * part.variance, errors * share / images)
    return Interval(mean=mean, low=low, high=high, n=seeds)


def multiple(level: float, seeds: Part, images: float) -> float:
    """How many standard errors a mean's interval reaches to both sides; see the module's head."""
    whole = seeds.variance + images
    share = seeds.variance / whole if whole else 0.0
    normal, student = quantile(level, math.inf), quantile(level, seeds.freedom)
    return normal + (student - normal) * float(share**EXPONENT)


def quantile(level: float, freedom: float) -> float:
    """How many standard errors Student's t reaches to both sides at a level; the normal's for infinite freedom."""
    from scipy import special

    tail = (1 - level) / 2
    return float(-special.ndtri(tail) if math.isinf(freedom) else -special.stdtrit(freedom, tail))


def paired(a: Hits, b: Hits) -> float:
    """Two-sided p-value for two sets of trainings on the same images having the same true share of hits.

    One training each: McNemar's exact test (1947, Psychometrika 12). More: the level at which the interval of the mean
    difference just holds 0, its images' part taken from the differences, the gap first made smaller by one image
    (Edwards 1948, Psychometrika 13).
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a paired test needs the same images, but got {a.shape[1]} and {b.shape[1]}")
    return _compared(*_rows([a, b]), freedom=_freedom([a, b]))


def holm(p_values: Sequence[float]) -> Floats:
    """P-values adjusted for the number of tests (Holm 1979, Scandinavian Journal of Statistics 6)."""
    found = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)), 1.0)
    return adjusted


def pairwise(hits: Sequence[Hits | None]) -> Floats:
    """Symmetric matrix of p-values as of `paired`, adjusted for all pairs; 1 where hits are missing.

    All pairs count, not only those with the best row: which row is best was read off the same data. What is known of
    the seeds is shared between the rows, see `spreads`: alone, three seeds a row could tell no two of 20 rows apart.
    """
    stored = [one for one in hits if one is not None]
    if len({one.shape[1] for one in stored}) > 1:
        raise ValueError("paired tests need the same images")
    known, freedom = iter(_rows(stored)), _freedom(stored)
    rows = [None if one is None else next(known) for one in hits]
    p_values = np.ones((len(hits), len(hits)))
    found = [1.0 if a is None or b is None else _compared(a, b, freedom=freedom) for a, b in combinations(rows, 2)]
    p_values[np.triu_indices(len(hits), k=1)] = holm(found)
    return np.minimum(p_values, p_values.T)


def spreads(rows: Sequence[Scores]) -> list[Part]:
    """The seeds' part of the variance of each row's mean, as far as the rows are alike known from all of them.

    Each row's variance between seeds is drawn towards that of all, the more the less they differ by more than chance
    (empirical Bayes: Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1), section 6.2). A row
    with one seed has the variance of the others; where all rows have one, nothing is known of it.
    """
    counts = np.asarray([len(row) for row in rows], dtype=np.float64)
    freedom = counts - 1
    if not freedom.any():
        return [Part(variance=0.0, freedom=math.inf) for _ in rows]
    single = np.asarray([row.mean(axis=1).var(ddof=1) if len(row) > 1 else 0.0 for row in rows])
    several = freedom > 0
    prior, strength = _prior(single[several], freedom[several])
    if math.isinf(strength):
        drawn, together = np.full(len(rows), prior), np.full(len(rows), freedom.sum())
    else:
        drawn = (strength * prior + freedom * single) / (strength + freedom)
        together = np.minimum(strength + freedom, freedom.sum())
    return [Part(variance=float(v / n), freedom=float(f)) for v, n, f in zip(drawn, counts, together, strict=True)]


def _prior(variances: Floats, freedom: Floats) -> tuple[float, float]:
    """What variances have in common, and with how many degrees of freedom; infinite where they differ by chance alone.

    The logarithms of variances of one true value spread by trigamma(freedom / 2); what they spread more is the rows'.
    """
    from scipy import optimize, special

    pooled = float((variances * freedom).sum() / freedom.sum())
    if len(variances) == 1 or not pooled:
        return pooled, math.inf
    half = freedom / 2
    # Seeds that agree by chance of rounding would be infinitely far from the others.
    logs = np.log(np.maximum(variances, LEAST_SHARE * pooled)) - special.digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - special.polygamma(1, half).mean())
    if excess <= special.polygamma(1, FIRM / 2):
        return pooled, math.inf
    strength = 2 * optimize.brentq(lambda x: float(special.polygamma(1, x)) - excess, 1e-6, FIRM)
    return float(np.exp(logs.mean() + special.digamma(strength / 2) - np.log(strength / 2))), strength


def _rows(hits: Sequence[Hits]) -> list[_Row]:
    return [
        _Row(scores=one.mean(axis=0), chance=chance_part(one), part=part, single=len(one) == 1)
        for one, part in zip(hits, spreads(hits), strict=True)
    ]


def _compared(a: _Row, b: _Row, *, freedom: float) -> float:
    """P-value of two sets of trainings, with what is known of the seeds' part of each, from so many seeds in all."""
    seeds = _sum(a.part, b.part, freedom)
    if a.single and b.single and not seeds.variance:
        return mcnemar(a.scores > 0, b.scores > 0)
    differences = a.scores - b.scores
    gap = abs(float(differences.mean())) - 1 / len(differences)
    return level_of(gap, seeds, images_part(differences, a.chance + b.chance))


def level_of(gap: float, seeds: Part, images: float) -> float:
    """Two-sided p-value of a gap: 1 less the level at which an interval around it just holds 0; 1 for one below 0."""
    from scipy import optimize

    error = math.sqrt(seeds.variance + images)

    def short(p: float) -> float:
        return multiple(1 - p, seeds, images) * error - gap

    if gap <= 0:
        return 1.0
    if short(SMALLEST) <= 0:
        return SMALLEST
    return float(optimize.brentq(short, SMALLEST, 1.0, xtol=SMALLEST))


def tie_groups(means: Sequence[float], p_values: Floats, alpha: float = 0.05) -> tuple[int, ...]:
    """The group of each row: 1 for the best and all that it does not beat significantly, then the same of the rest.

    `p_values` is what `pairwise` gives; NaN means come last.
    """
    groups = [0] * len(means)
    left = sorted(range(len(means)), key=lambda row: (math.isnan(means[row]), -means[row]))
    group = 0
    while left:
        best, group = left[0], group + 1
        tied = {row for row in left if row == best or p_values[best, row] >= alpha}
        for row in tied:
            groups[row] = group
        left = [row for row in left if row not in tied]
    return tuple(groups)


def _seeds(hits: Hits) -> Part:
    """The seeds' part of the variance of the mean; nothing is known of it with one seed."""
    seeds = len(hits)
    if seeds == 1:
        return Part(variance=0.0, freedom=math.inf)
    return Part(variance=float(hits.mean(axis=1).var(ddof=1)) / seeds, freedom=seeds - 1)


def _sum(a: Part, b: Part, most: float) -> Part:
    """Two parts together, with Welch's degrees of freedom (1947, Biometrika 34), but no more than there are in all."""
    variance = a.variance + b.variance
    if not variance:
        return Part(variance=0.0, freedom=math.inf)
    parts = (a.variance / variance) ** 2 / a.freedom + (b.variance / variance) ** 2 / b.freedom
    return Part(variance=variance, freedom=min(1 / parts, most))


def _freedom(rows: Sequence[Hits]) -> float:
    """Degrees of freedom of the variances between seeds of all rows together."""
    return float(sum(len(row) - 1 for row in rows))


def images_part(scores: Floats, chance: float) -> float:
    """The images' own part of the variance of a mean of one score an image, without what seeds do by chance on each."""
    images = len(scores)
    return max(0.0, float(scores.var(ddof=1)) - chance) / images if images > 1 else 0.0


def chance_part(hits: Scores) -> float:
    """What chance adds to the variance over images of the mean over seeds; 0 where one seed hides it."""
    return float(hits.var(axis=0, ddof=1).mean()) / len(hits) if len(hits) > 1 else 0.0


def mcnemar(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided p-value."""
    from scipy import stats

    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a == only_b:
        return 1.0
    return float(stats.binomtest(min(only_a, only_b), only_a + only_b).pvalue)


def _solve(mean: float, fixed: float, binomial: float) -> tuple[float, float]:
    """The ends of all p with (p - mean)^2 <= fixed + binomial * p * (1 - p), clipped to [0, 1]."""
    # p^2 (1 + b) - p (2 mean + b) + mean^2 - fixed <= 0
    a, half = 1 + binomial, mean + binomial / 2
    root = math.sqrt(max(0.0, half**2 - a * (mean**2 - fixed)))
    return max(0.0, (half - root) / a), min(1.0, (half + root) / a)
