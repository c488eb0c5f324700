"""Metrics of a classification with several labels an image, out of logits and multi-hot labels (N, classes).

A class is said of an image where its logit is above 0, its probability above a half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.blocks import Counts, Floats, Labels, Logits, rows
from isoflop.evaluation.calibration import gap
from isoflop.evaluation.curves import auroc, average_precision, columns, macro
from isoflop.tasks import MULTILABEL

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Several:
    """Logits and labels (N, classes), with what several metrics need. Raises `ValueError` where they do not fit."""

    logits: Logits
    labels: Labels

    def __post_init__(self) -> None:
        if self.logits.ndim != 2 or self.logits.shape != self.labels.shape or not len(self.labels):
            shapes = f"{self.logits.shape} and {self.labels.shape}"
            raise ValueError(f"logits and labels must both be (N, classes), but got {shapes}")
        if self.labels.min() < 0 or self.labels.max() > 1:
            raise ValueError(f"labels must be 0 or 1, but got {self.labels.min()} to {self.labels.max()}")

    @cached_property
    def truth(self) -> Mask:
        """Which classes an image has."""
        return np.asarray(self.labels > 0)

    @cached_property
    def said(self) -> Mask:
        """Which classes are said of it."""
        return np.asarray(self.logits > 0)

    @cached_property
    def hits(self) -> Counts:
        """Images of each class that it was said of (classes,)."""
        return np.asarray((self.truth & self.said).sum(axis=0), np.int64)

    @property
    def f1(self) -> Floats:
        """F1 of each class (classes,); NaN of one that no image has and none was said to have."""
        both = self.truth.sum(axis=0) + self.said.sum(axis=0)
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * self.hits / both)

    @property
    def loss(self) -> float:
        """Mean binary cross-entropy in nats over images and classes."""
        total = 0.0
        for part in rows(*self.logits.shape):
            z = self.logits[part].astype(np.float64)
            # log(1 + exp(-|z|)) + max(z, 0) - z y, which overflows nowhere
            total += float((np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - z * self.truth[part]).sum())
        return total / self.logits.size

    @cached_property
    def probabilities(self) -> Floats:
        """Of each class (N, classes)."""
        found = np.empty(self.logits.shape)
        for part in rows(*self.logits.shape):
            # 1 / (1 + exp(-z)) as a hyperbolic tangent, which does not overflow
            found[part] = 0.5 + 0.5 * np.tanh(0.5 * self.logits[part].astype(np.float64))
        return found

    def by_class(self, measure: Callable[[Floats, Mask], float]) -> Iterable[float]:
        """An area of each class; scores are logits, whose order is that of the probabilities."""
        return (measure(scores, self.truth[:, at]) for at, scores in enumerate(columns(self.logits)))


def micro_f1(several: Several) -> float:
    """F1 over all pairs of image and class; 1 where there is nothing to say and nothing was said."""
    both = int(several.truth.sum() + several.said.sum())
    return 2 * int(several.hits.sum()) / both if both else 1.0


METRICS: Final[Mapping[str, Callable[[Several], float]]] = {
    "map": lambda several: macro(several.by_class(average_precision)),
    "auroc": lambda several: macro(several.by_class(auroc)),
    "macro_f1": lambda several: macro(several.f1.tolist()),
    "micro_f1": micro_f1,
    "exact_match": lambda several: float((several.truth == several.said).all(axis=1).mean()),
    "hamming_loss": lambda several: float((several.truth != several.said).mean()),
    "loss": lambda several: several.loss,
    "ece": lambda several: gap(several.probabilities, several.truth),
}
UNDEFINED: Final = frozenset({"map", "auroc", "macro_f1"})
"""What is left out where no class has it."""


def multilabel_metrics(logits: Logits, labels: Labels, names: Iterable[str] | None = None) -> dict[str, float]:
    """Metrics by name, by default all of the task.

    `map`, `auroc` and `macro_f1` are means over the classes that have them: those with an image for `map`, with one and
    not all for `auroc`, among labels or answers for `macro_f1`; where no class has one it is left out. `ece` is that of
    the probabilities of all classes. Raises `ValueError` where logits and labels do not fit each other.
    """
    several = Several(logits, labels)
    found = {name: METRICS[name](several) for name in names or [metric.name for metric in MULTILABEL.metrics]}
    return {n: value for n, value in found.items() if n not in UNDEFINED or value == value}  # noqa: PLR0124 - NaN


def exact_hits(logits: Logits, labels: Labels) -> Mask:
    """Which images have all their classes said of them and no other."""
    several = Several(logits, labels)
    return np.asarray((several.truth == several.said).all(axis=1))
