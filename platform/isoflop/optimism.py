"""By how much the best score of a search is too good: it was picked for being high, and in part it is luck.

The luck is estimated by doing the picking again (bootstrap bias corrected: Tsamardinos, Greasidou & Borboudakis 2018,
Machine Learning 107, section 3; the bias was first told by Tibshirani & Tibshirani 2009, arXiv 0908.2904): images are
drawn with replacement, the trial that is best on those is scored on the images that were not drawn, and the mean of
that over many draws is what the best can be expected to reach on new images. What another seed would change shows in
no image; where the spread of the seeds' own effect is known, each draw gives every trial luck of that spread, which
counts for it when it is picked and against it when it is scored, as the images' luck does.

The estimate is right where trials are equals and cautious where they truly differ: in simulations by up to two thirds,
for the picking is done again with the luck of the first one in the scores. Trials that were stopped early cannot be
picked again, and what they add is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoflop.statistics import Hits

DRAWS = 1000
BLOCK = 50
"""Draws that are made at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimism:
    """What the best of a search scored, and what it can be expected to reach."""

    raw: float
    expected: float
    """On images that did not pick it, and seeds too where their spread is known."""
    trials: int
    """Trials that could be picked again."""
    images: int
    spread: float | None
    """Standard deviation of the seeds' own effect; none where it is not known."""

    @property
    def luck(self) -> float:
        """How much of the raw score is luck."""
        return self.raw - self.expected

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"luck": self.luck}


def optimism(hits: Hits, *, spread: float | None = None, draws: int = DRAWS, seed: int = 0) -> Optimism:
    """Estimate of the luck in the best score of trials, from their hits on the same images (trials, images)."""
    trials, images = hits.shape
    rng = np.random.default_rng(seed)
    answers = hits.T.astype(np.float32)
    found = [_picked(answers, min(BLOCK, draws - done), spread or 0.0, rng) for done in range(0, draws, BLOCK)]
    return Optimism(
        raw=float(hits.mean(axis=1).max()),
        expected=float(np.concatenate(found).mean()),
        trials=trials,
        images=images,
        spread=spread,
    )


def spread_of_seeds(rows: Sequence[Hits]) -> float | None:
    """Standard deviation of what seeds do beside chance on single images, common to all rows (seeds, images).

    None where no row has two seeds. See the head of `statistics` for the estimator.
    """
    several = [row for row in rows if len(row) > 1]
    if not several:
        return None
    freedom = np.asarray([len(row) - 1 for row in several])
    own = [row.mean(axis=1).var(ddof=1) - row.var(axis=0, ddof=1).mean() / row.shape[1] for row in several]
    return float(np.sqrt(max(0.0, float((freedom * own).sum() / freedom.sum()))))


def _picked(
    answers: np.ndarray[Any, np.dtype[np.float32]], draws: int, spread: float, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each draw, what the trial that is best on the drawn images scores on the others; answers (images, trials)."""
    images, trials = answers.shape
    drawn = np.stack([np.bincount(rng.integers(0, images, images), minlength=images) for _ in range(draws)])
    left = drawn == 0
    luck = spread * rng.standard_normal((draws, trials))
    inside = drawn.astype(np.float32) @ answers / images + luck
    outside = left.astype(np.float32) @ answers / np.maximum(left.sum(axis=1, keepdims=True), 1) - luck
    return np.asarray(outside[np.arange(draws), inside.argmax(axis=1)], dtype=np.float64)
