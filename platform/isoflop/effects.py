"""What a change is worth, and whether a part is worse than the rest: differences over the same seeds and images.

Seeds and images are crossed as in `isoflop.statistics`, and so is the variance taken apart: of one number for each
training and image, here the difference of two trainings on the same seed, `spreads` gives the seeds' part and
`images_part` what the images themselves add.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from isoflop.statistics import (
    Floats,
    Hits,
    Interval,
    Part,
    chance_part,
    holm,
    images_part,
    level_of,
    mcnemar,
    multiple,
    spreads,
)

Mask = npt.NDArray[np.bool_]
"""Which images are meant, (images,)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """A mean difference, and how sure it is."""

    interval: Interval
    p: float
    """Two-sided, corrected for all effects that were asked for together (Holm 1979)."""

    @property
    def told(self) -> bool:
        """Whether it is told from 0 at 5 %, all effects together."""
        return self.p < 0.05


def effects(differences: Sequence[Floats], level: float = 0.95) -> list[Effect]:
    """Mean differences from one and the same base, each over (seeds, images) that both sides share.

    One image stands for a metric that has no images' part, one value a seed. Seeds and images both being paired, what
    they have in common with the base counts for nothing. Rows share what is known of the seeds; as all hold the base's
    own luck, k rows of n seeds know it with 4 k (n - 1) / (k + 3) degrees of freedom, not k (n - 1): by the variance of
    the mean of their variances where all trainings vary alike. Intervals are each at the level. With one seed p is
    McNemar's, and intervals say nothing of other seeds; NaN where nothing is known.
    """
    rows, share = len(differences), 4 / (len(differences) + 3)
    most = share * sum(len(one) - 1 for one in differences)
    parts = [replace(part, freedom=min(part.freedom, most or math.inf)) for part in spreads(differences)]
    found = [_measured(one, part, level) for one, part in zip(differences, parts, strict=True)]
    known = [place for place in range(rows) if not math.isnan(found[place][1])]
    adjusted = dict(zip(known, holm([found[place][1] for place in known]).tolist(), strict=True))
    return [Effect(interval=one, p=adjusted.get(place, math.nan)) for place, (one, _) in enumerate(found)]


def _measured(difference: Floats, part: Part, level: float) -> tuple[Interval, float]:
    """A mean difference with its interval, and its own p-value."""
    seeds, images = difference.shape
    mean = float(difference.mean())
    if math.isinf(part.freedom) and images == 1:
        return Interval(mean=mean, low=math.nan, high=math.nan, n=seeds), math.nan
    own = images_part(difference.mean(axis=0), chance_part(difference))
    if images > 1:  # seeds may agree by luck; answers that all were independent would vary by this
        own = max(own, float(difference.var()) / difference.size - part.variance)
    half = multiple(level, part, own) * math.sqrt(part.variance + own)
    single = seeds == 1 and not part.variance
    p = mcnemar(difference[0] > 0, difference[0] < 0) if single else level_of(abs(mean), part, own)
    return Interval(mean=mean, low=mean - half, high=mean + half, n=seeds), p


def shortfalls(hits: Hits, parts: Sequence[Mask]) -> list[float]:
    """One-sided p-values, not corrected, for each part of the images being answered no worse than all others.

    One training: Fisher's exact test (1922, JRSS 85). More: a score test, the images' part being that of all images,
    as if the part were like the rest; k parts know how seeds differ between a part and the rest from all parts alike,
    by (k - 1) (n - 1) degrees of freedom. As no normal curve fits the few misses of a small part, it is no less than
    Fisher's of what most trainings answered. NaN for a part that holds no image, or all.
    """
    inside = [place for place, mask in enumerate(parts) if 0 < mask.sum() < mask.size]
    found = [math.nan] * len(parts)
    most = hits.mean(axis=0) >= 0.5
    scored = _scores(hits, [parts[place] for place in inside]) if len(hits) > 1 else [0.0] * len(inside)
    for place, p in zip(inside, scored, strict=True):
        found[place] = max(p, _fisher(most, parts[place]))
    return found


def _fisher(hits: Mask, part: Mask) -> float:
    """How often so few hits fall into a part by chance."""
    return float(stats.hypergeom.cdf((hits & part).sum(), hits.size, hits.sum(), part.sum()))


def _scores(hits: Hits, parts: Sequence[Mask]) -> list[float]:
    images, seeds = hits.shape[1], len(hits)
    own = images * images_part(hits.mean(axis=0), chance_part(hits))
    scales = [1 / part.sum() + 1 / (~part).sum() for part in parts]
    gaps = [hits[:, ~part].mean(axis=1) - hits[:, part].mean(axis=1) for part in parts]
    # Of parts as large as each other, the smaller ones' gaps differ more by chance alone.
    spread = spreads([(gap / math.sqrt(scale))[:, None] for gap, scale in zip(gaps, scales, strict=True)])
    most = max(1, len(parts) - 1) * (seeds - 1)
    found = []
    for gap, scale, part in zip(gaps, scales, spread, strict=True):
        mean = float(gap.mean())
        seen = Part(variance=part.variance * scale, freedom=min(part.freedom, most))
        two_sided = level_of(abs(mean), seen, own * scale)
        found.append(two_sided / 2 if mean > 0 else 1 - two_sided / 2)
    return found
