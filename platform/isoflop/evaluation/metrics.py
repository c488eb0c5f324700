"""Metrics of a classification out of logits (N, classes) and labels (N,): the one place where they are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.blocks import Counts as Counts  # noqa: PLC0414 - names of this module too
from isoflop.evaluation.blocks import Floats as Floats  # noqa: PLC0414
from isoflop.evaluation.blocks import Labels as Labels  # noqa: PLC0414
from isoflop.evaluation.blocks import Logits as Logits  # noqa: PLC0414
from isoflop.evaluation.blocks import rows
from isoflop.evaluation.calibration import gap
from isoflop.evaluation.curves import auroc, columns, macro
from isoflop.tasks import CLASSIFICATION

TOP: Final = 5
"""With more classes than this, an image also counts whose label is among the first so many."""


@dataclass(frozen=True)
class Answers:
    """Logits (N, classes) and labels (N,), with what several metrics need, each worked out once.

    Raises `ValueError` where they do not fit each other.
    """

    logits: Logits
    labels: Labels

    def __post_init__(self) -> None:
        _check(self.logits, self.labels)

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The class with the largest logit (N,); of equal ones the first."""
        return np.asarray(self.logits.argmax(axis=1), np.int64)

    @cached_property
    def hits(self) -> npt.NDArray[np.bool_]:
        """Which images have their largest logit at their label."""
        return np.asarray(self.predicted == self.labels)

    @cached_property
    def counts(self) -> Counts:
        """Images of each class (rows) by the class predicted (columns)."""
        classes = self.logits.shape[1]
        places = self.labels.astype(np.int64) * classes + self.predicted
        return np.bincount(places, minlength=classes**2).reshape(classes, classes).astype(np.int64)

    @cached_property
    def largest(self) -> Floats:
        """The largest logit of each image (N,)."""
        return np.asarray(self.logits.max(axis=1), np.float64)

    @cached_property
    def rest(self) -> Floats:
        """Log of the sum of the exponentials of an image's logits less the largest (N,); NaN where that is infinite."""
        found = np.empty(len(self.labels))
        with np.errstate(invalid="ignore"):
            for part in rows(*self.logits.shape):
                below = self.logits[part].astype(np.float64) - self.largest[part, None]
                found[part] = np.log(np.exp(below, out=below).sum(axis=1))
        return found

    @cached_property
    def confidence(self) -> Floats:
        """Probability of the class with the largest logit (N,)."""
        return np.asarray(np.exp(-self.rest))

    @property
    def loss(self) -> float:
        """Mean negative log-likelihood in nats."""
        own = np.take_along_axis(self.logits, self.labels.astype(np.int64)[:, None], axis=1)[:, 0]
        with np.errstate(invalid="ignore"):
            return float(-(own.astype(np.float64) - self.largest - self.rest).mean())

    @property
    def ece(self) -> float:
        """Expected calibration error of the class predicted (Guo et al. 2017, arXiv 1706.04599)."""
        return gap(self.confidence, self.hits)

    @property
    def auroc(self) -> float:
        """Area under the ROC curve of each class's probability against all others, averaged over the classes.

        Of the classes that have images and are not alone; NaN where there is none.
        """
        scores = columns(self.logits, self.largest + self.rest)
        return macro(auroc(found, self.labels == label) for label, found in enumerate(scores))


METRICS: Final[Mapping[str, Callable[[Answers], float]]] = {
    "accuracy": lambda answers: float(answers.hits.mean()),
    "balanced_accuracy": lambda answers: balanced_accuracy(answers.counts),
    "macro_f1": lambda answers: macro_f1(answers.counts),
    "top5_accuracy": lambda answers: top_accuracy(answers.logits, answers.labels, TOP),
    "loss": lambda answers: answers.loss,
    "ece": lambda answers: answers.ece,
    "auroc": lambda answers: answers.auroc,
}


def metrics_of(logits: Logits, labels: Labels, names: Iterable[str] | None = None) -> dict[str, float]:
    """Metrics by name, by default all that the task has for so many classes.

    `loss` is the mean log-loss in nats. Where a logit is NaN, so are loss and ece. `auroc` is left out where it is not
    defined, all images being of one class. Raises `ValueError` where logits and labels do not fit each other.
    """
    answers = Answers(logits, labels)
    wanted = names if names is not None else [m.name for m in CLASSIFICATION.offered(logits.shape[1])]
    found = {name: METRICS[name](answers) for name in wanted}
    return {name: value for name, value in found.items() if name != "auroc" or value == value}  # noqa: PLR0124 - NaN


def hits_of(logits: Logits, labels: Labels) -> npt.NDArray[np.bool_]:
    """Which images have their largest logit at their label; of equal logits the first counts."""
    return np.asarray(logits.argmax(axis=1) == labels)


def confusion(logits: Logits, labels: Labels) -> Counts:
    """Images of each class (rows) by the class predicted (columns)."""
    return Answers(logits, labels).counts


def balanced_accuracy(counts: Counts) -> float:
    """Mean share of hits over the classes that have images (Brodersen et al. 2010)."""
    images = counts.sum(axis=1)
    there = images > 0
    return float((np.diag(counts)[there] / images[there]).mean())


def macro_f1(counts: Counts) -> float:
    """Mean F1 over the classes that are among labels or predictions."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    there = both > 0
    return float((2 * np.diag(counts)[there] / both[there]).mean())


def top_accuracy(logits: Logits, labels: Labels, k: int) -> float:
    """Share of images with fewer than k logits above their label's; of equal logits the first counts as above."""
    places, right = np.arange(logits.shape[1]), 0
    for part in rows(*logits.shape):
        these, label = logits[part], labels[part, None]
        own = np.take_along_axis(these, label.astype(np.int64), axis=1)
        above = (these > own) | ((these == own) & (places < label))
        right += int((above.sum(axis=1) < k).sum())
    return right / len(labels)


def calibration_error(logits: Logits, labels: Labels) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over equal bins of confidence."""
    return Answers(logits, labels).ece


def log_softmax(logits: Logits) -> Floats:
    """Log-probabilities (N, classes)."""
    below = shifted(logits)
    return np.asarray(below - np.log(np.exp(below).sum(axis=1, keepdims=True)))


def shifted(logits: Logits) -> Floats:
    """Logits less the largest of their image, which changes no probability; NaN where that is not finite."""
    with np.errstate(invalid="ignore"):
        return np.asarray(logits.astype(np.float64) - logits.max(axis=1, keepdims=True).astype(np.float64))


def _check(logits: Logits, labels: Labels) -> None:
    if logits.ndim != labels.ndim + 1 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(f"logits (N, classes) and labels (N,) must fit, but got {logits.shape} and {labels.shape}")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels must lie in [0, {logits.shape[1]}), but got {labels.min()} to {labels.max()}")
