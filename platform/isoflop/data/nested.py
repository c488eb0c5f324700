"""An order of images of which every beginning holds each class in its share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isoflop.data.source import Labels
from isoflop.data.splits import Places
from isoflop.seeds import derive


def nested(labels: Labels, values: npt.NDArray[np.float64 | np.uint64]) -> Places:
    """All places of `labels` (N,), ordered so that every beginning is stratified and holds every shorter one.

    Inside a class the images with the smallest of `values` (N,) come first, equal ones as they stand. The image at
    rank r of a class of n stands at (r + 1/2) / n, so a beginning of any length holds of each class its share, rounded;
    the first image of every class comes before all others, so that no class is left out of a short beginning.
    """
    within = np.lexsort((values, labels))
    counts = np.bincount(labels)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.arange(len(labels)) - first
    where = np.where(rank == 0, 0.0, (2 * rank + 1) / (2 * np.repeat(counts, counts)))
    return within[np.lexsort((labels[within], where))].astype(np.int64)


def drawn(labels: Labels, seed: int) -> Places:
    """Such an order drawn from a seed: raw words of PCG64, as in `splits`, so it is the same for ever."""
    words = np.random.PCG64(derive(seed, "fraction")).random_raw(len(labels))
    return nested(labels, words)
