"""How well a score puts the images of a class before all others: areas, by one sort a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.blocks import Floats, Logits

Mask = npt.NDArray[np.bool_]

BLOCK = 1 << 21
"""Cells of a block of classes: their scores are laid side by side before they are sorted."""


def auroc(scores: Floats, positive: Mask) -> float:
    """Area under the receiver operating characteristic of scores (N,): ties count half (Hanley & McNeil 1982).

    NaN where all images are positive or none is.
    """
    own = scores[positive]
    others = len(scores) - len(own)
    if not len(own) or not others:
        return float("nan")
    every = np.sort(scores)
    # Of equal scores each has the mean of their places.
    ranks = (np.searchsorted(every, own, "left") + np.searchsorted(every, own, "right") + 1) / 2
    return float((ranks.sum() - len(own) * (len(own) + 1) / 2) / (len(own) * others))


def average_precision(scores: Floats, positive: Mask) -> float:
    """Mean over the positive images of the precision among all that score as high or higher (step-wise area).

    NaN where none is positive.
    """
    own = np.sort(scores[positive])
    if not len(own):
        return float("nan")
    high = len(own) - np.searchsorted(own, own, "left")
    every = np.sort(scores)
    return float((high / (len(every) - np.searchsorted(every, own, "left"))).mean())


def columns(scores: Logits, less: Floats | None = None) -> Iterator[Floats]:
    """The scores (N,) of one class after another, out of (N, classes), each image's `less` (N,) taken from them.

    What is less is rounded to 12 decimals, beyond the error of taking it: what differs in no more is a tie.
    """
    images, classes = scores.shape
    step = max(1, BLOCK // max(1, images))
    for start in range(0, classes, step):
        block = scores[:, start : start + step].T.astype(np.float64, order="C")
        yield from block if less is None else np.round(block - less, 12)


def macro(values: Iterable[float]) -> float:
    """The mean of those that are numbers; NaN where none is."""
    known = [value for value in values if value == value]  # noqa: PLR0124 - NaN is what differs from itself
    return float(np.mean(known)) if known else float("nan")
