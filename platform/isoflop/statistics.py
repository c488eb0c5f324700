"""How sure a number is: intervals over few seeds and a finite set of images, paired tests, tie groups.

An accuracy that n trainings reach on m images is uncertain twice: other seeds give other nets, and other images other
hits. Both are crossed (every net sees every image), so with `hits` (n, m) the variance of the mean is

    max(0, s^2 - e / m) / n  +  v / m

s^2: variance between the seeds' means (n - 1 degrees of freedom); v: variance over images of the mean over seeds;
e: mean over images of the variance between seeds. `v` holds already what chance does on a single image, so that part
is taken out of `s^2`, and what is left is the seeds' own effect (two-way random effects, the moment estimator of
Searle, Casella & McCulloch 1992, Variance components, chapter 4). Why both parts belong in it: Bouthillier et al.
2021, Accounting for variance in machine learning benchmarks, arXiv 2103.03098.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats: TypeAlias = npt.NDArray[np.float64]
Hits: TypeAlias = npt.NDArray[np.bool_]
"""Which images each training classified rightly: (seeds, images)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean over seeds and where the true one lies at the level asked; NaN where nothing is known of that."""

    mean: float
    low: float
    high: float
    n: int
    """Seeds."""


def interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean of one value a seed with Student's t-interval over seeds; with one seed its ends are NaN."""
    data = np.asarray(values, dtype=np.float64)
    mean = float(data.mean()) if len(data) else math.nan
    if len(data) < 2:
        return Interval(mean=mean, low=math.nan, high=math.nan, n=len(data))
    half = quantile(level, len(data) - 1) * data.std(ddof=1) / math.sqrt(len(data))
    return Interval(mean=mean, low=float(mean - half), high=float(mean + half), n=len(data))


def accuracy_interval(hits: Hits, level: float = 0.95) -> Interval:
    """Mean accuracy with an interval over seeds and images, inside [0, 1].

    Wilson's score interval (1927, JASA 22) with the variance of the seeds added: every p is in it for which
    (p - mean)^2 <= t^2 (seed part + r p (1 - p) / m), r being the share of the binomial variance that is left in the
    mean over seeds. With one seed that is Wilson's interval: it says nothing then about other seeds.
    """
    seeds, images = hits.shape
    parts = _parts(hits)
    mean = float(hits.mean())
    binomial = mean * (1 - mean)
    share = parts.images * (images - 1) / binomial if binomial else 1.0
    t = quantile(level, parts.freedom)
    low, high = _solve(mean, t**2 * parts.seeds, t**2 * share / images)
    return Interval(mean=mean, low=low, high=high, n=seeds)


def quantile(level: float, freedom: float) -> float:
    """Student's t below which all but half of `1 - level` lies; the normal one for infinite freedom."""
    tail = (1 + level) / 2
    return float(stats.norm.ppf(tail) if math.isinf(freedom) else stats.t.ppf(tail, freedom))


def paired(a: Hits, b: Hits) -> float:
    """Two-sided p-value for two sets of trainings on the same images having the same true accuracy.

    One training each: McNemar's exact test (1947, Psychometrika 12). More: a t-test of the mean difference with the
    variance of the module's head, taken over images from the differences, and Edwards' correction of one image
    (1948, Psychometrika 13); Satterthwaite's degrees of freedom.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"paired tests need the same images, but got {a.shape[1]} and {b.shape[1]}")
    if len(a) == len(b) == 1:
        return _mcnemar(a[0], b[0])
    images = a.shape[1]
    differences = a.mean(axis=0) - b.mean(axis=0)
    gap = abs(float(differences.mean())) - 1 / images
    if gap <= 0:
        return 1.0
    parts = [_parts(a), _parts(b)]
    over_images = float(differences.var(ddof=1)) / images if images > 1 else 0.0
    variance = sum(part.seeds for part in parts) + over_images
    if variance == 0:
        return 0.0
    freedom = _satterthwaite(variance, parts)
    return float(2 * (stats.norm.sf if math.isinf(freedom) else _t_tail(freedom))(gap / math.sqrt(variance)))


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
    upper = np.triu_indices(len(hits), k=1)
    pairs = [(hits[i], hits[j]) for i, j in zip(*upper, strict=True)]
    found = [1.0 if a is None or b is None else paired(a, b) for a, b in pairs]
    p_values[upper] = holm(found)
    return np.minimum(p_values, p_values.T)


def tie_groups(means: Sequence[float], p_values: Floats, alpha: float = 0.05) -> tuple[int, ...]:
    """The group of each row: 1 for the best and all that it does not beat significantly, then the same of the rest.

    `p_values` is what `pairwise` gives. NaN means come last.
    """
    groups = [0] * len(means)
    left = sorted(range(len(means)), key=lambda row: (math.isnan(means[row]), -means[row]))
    group = 0
    while left:
        best, group = left[0], group + 1
        tied = {row for row in left if row == best or not p_values[best, row] < alpha}
        for row in tied:
            groups[row] = group
        left = [row for row in left if row not in tied]
    return tuple(groups)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """Parts of the variance of a mean over seeds and images."""

    seeds: float
    images: float
    raw: float
    """The seeds' part before chance on single images is taken out: what has `n - 1` degrees of freedom."""
    n: int

    @property
    def freedom(self) -> float:
        """Satterthwaite's degrees of freedom of the sum."""
        return _satterthwaite(self.seeds + self.images, [self])


def _parts(hits: Hits) -> _Parts:
    """The variance of the mean of `hits`, from seeds and from images."""
    seeds, images = hits.shape
    over_images = float(hits.mean(axis=0).var(ddof=1)) / images if images > 1 else 0.0
    if seeds == 1:
        return _Parts(seeds=0.0, images=over_images, raw=0.0, n=1)
    between = float(hits.mean(axis=1).var(ddof=1))
    chance = float(hits.var(axis=0, ddof=1).mean()) / images
    return _Parts(seeds=max(0.0, between - chance) / seeds, images=over_images, raw=between / seeds, n=seeds)


def _satterthwaite(variance: float, parts: Sequence[_Parts]) -> float:
    """Degrees of freedom of a sum of variances (1946, Biometrics Bulletin 2); images count as infinitely many."""
    spread = sum(part.raw**2 / (part.n - 1) for part in parts if part.n > 1 and part.seeds > 0)
    return variance**2 / spread if spread else math.inf


def _t_tail(freedom: float) -> Callable[[float], float]:
    """The upper tail of Student's t."""
    return lambda x: float(stats.t.sf(x, freedom))


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
