"""How sure a number is: intervals over few seeds and a finite set of images, paired tests, tie groups.

A share of hits, such as the accuracy, that n trainings reach on m images is uncertain twice: other seeds give other
nets, and other images other hits. The two are crossed (every net sees every image), so with `hits` (n, m) the variance
of the mean is

    max(0, s^2 - e / m) / n  +  v / m

s^2: variance between the seeds' means; v: variance over images of the mean over seeds; e: mean over images of the
variance between seeds. `v` holds already what chance does on single images, so that is taken out of `s^2`, and what is
left is the seeds' own effect (two-way random effects, the moment estimator of Searle, Casella & McCulloch 1992,
Variance components, chapter 4). Why both parts belong in it: Bouthillier et al. 2021, Accounting for variance in
machine learning benchmarks, arXiv 2103.03098.

The seeds' part has n - 1 degrees of freedom, the images' part as good as infinitely many. So each is multiplied by the
square of its own t-quantile before they are added (Banerjee 1960, Sankhya 22), which keeps the level where
Satterthwaite's mixed degrees of freedom fall short of it: with 3 seeds whose effect outweighs the images'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Floats: TypeAlias = npt.NDArray[np.float64]
Hits: TypeAlias = npt.NDArray[np.bool_]
"""Which images each training classified rightly: (seeds, images)."""

SMALLEST = 1e-12
"""P-values are not told apart below this."""


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
    """A part of the variance of a mean."""

    variance: float
    freedom: float
    """Degrees of freedom; infinite where the variance is as good as known."""

    def reach(self, level: float) -> float:
        """The variance times the square of its t-quantile."""
        return quantile(level, self.freedom) ** 2 * self.variance if self.variance else 0.0


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
    seeds' part + z^2 r p (1 - p) / m, where r is the share of the binomial variance that is left in the mean over
    seeds. With one seed it is Wilson's interval, and says nothing of other seeds.
    """
    seeds, images = hits.shape
    mean = float(hits.mean())
    binomial = mean * (1 - mean)
    share = _images(hits.mean(axis=0)).variance * (images - 1) / binomial if binomial else 1.0
    low, high = _solve(mean, _seeds(hits).reach(level), quantile(level, math.inf) ** 2 * share / images)
    return Interval(mean=mean, low=low, high=high, n=seeds)


def quantile(level: float, freedom: float) -> float:
    """How many standard errors Student's t reaches to both sides at a level; the normal's for infinite freedom."""
    tail = (1 - level) / 2
    return float(stats.norm.isf(tail) if math.isinf(freedom) else stats.t.isf(tail, freedom))


def paired(a: Hits, b: Hits) -> float:
    """Two-sided p-value for two sets of trainings on the same images having the same true share of hits.

    One training each: McNemar's exact test (1947, Psychometrika 12). More: the level at which the interval of the mean
    difference just holds 0, its images' part taken from the differences, the gap first made smaller by one image
    (Edwards 1948, Psychometrika 13).
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a paired test needs the same images, but got {a.shape[1]} and {b.shape[1]}")
    if len(a) == len(b) == 1:
        return _mcnemar(a[0], b[0])
    differences = a.mean(axis=0) - b.mean(axis=0)
    gap = abs(float(differences.mean())) - 1 / len(differences)
    parts = (_seeds(a), _seeds(b), _images(differences))

    def short(p: float) -> float:
        return sum(part.reach(1 - p) for part in parts) - gap**2

    if gap <= 0:
        return 1.0
    if short(SMALLEST) <= 0:
        return SMALLEST
    return float(optimize.brentq(short, SMALLEST, 1.0, xtol=SMALLEST))


def holm(p_values: Sequence[float]) -> Floats:
    """P-values adjusted for the number of tests (Holm 1979, Scandinavian Journal of Statistics 6)."""
    found = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)), 1.0)
    return adjusted


def pairwise(hits: Sequence[Hits | None]) -> Floats:
    """Symmetric matrix of `paired` p-values, adjusted for all pairs; 1 where hits are missing.

    All pairs count, not only those with the best row: which row is best was read off the same data.
    """
    p_values = np.ones((len(hits), len(hits)))
    found = [1.0 if a is None or b is None else paired(a, b) for a, b in combinations(hits, 2)]
    p_values[np.triu_indices(len(hits), k=1)] = holm(found)
    return np.minimum(p_values, p_values.T)


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
    seeds, images = hits.shape
    if seeds == 1:
        return Part(variance=0.0, freedom=math.inf)
    between = float(hits.mean(axis=1).var(ddof=1))
    chance = float(hits.var(axis=0, ddof=1).mean()) / images
    return Part(variance=max(0.0, between - chance) / seeds, freedom=seeds - 1)


def _images(scores: Floats) -> Part:
    """The images' part of the variance of a mean of one score an image."""
    variance = float(scores.var(ddof=1)) / len(scores) if len(scores) > 1 else 0.0
    return Part(variance=variance, freedom=math.inf)


def _mcnemar(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided p-value."""
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
