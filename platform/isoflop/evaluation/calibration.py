"""Whether probabilities are what they say (Guo et al. 2017, On calibration of modern neural networks, 1706.04599)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.blocks import Counts, Floats

BINS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """Answers in equal bins of the probability that they were given; each array is (bins,)."""

    answers: Counts
    said: Floats
    """Sum of the probabilities."""
    right: Floats
    """How many were right."""

    @property
    def error(self) -> float:
        """Mean gap between probability and share of right answers, over the answers."""
        return float(np.abs(self.right - self.said).sum() / self.answers.sum())


def reliability(probabilities: Floats, right: npt.NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Answers by the bin of their probability; bins are open below and closed above, as in the paper."""
    said, truth = probabilities.ravel(), right.ravel().astype(np.float64)
    places = np.clip(np.ceil(said * bins).astype(np.int64) - 1, 0, bins - 1)
    return Reliability(
        answers=np.bincount(places, minlength=bins).astype(np.int64),
        said=np.bincount(places, weights=said, minlength=bins).astype(np.float64),
        right=np.bincount(places, weights=truth, minlength=bins).astype(np.float64),
    )


def gap(probabilities: Floats, right: npt.NDArray[np.bool_]) -> float:
    """The expected calibration error; NaN where a probability is."""
    return float("nan") if np.isnan(probabilities).any() else reliability(probabilities, right).error
