"""Metrics of a classification out of logits (N, classes) and labels (N,)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Logits: TypeAlias = npt.NDArray[np.floating]
Labels: TypeAlias = npt.NDArray[np.integer]
Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

TOP = 5
"""With more classes than this, an image also counts whose label is among the first so many."""

BINS = 15
"""Bins of the calibration error (Guo et al. 2017, On calibration of modern neural networks, arXiv 1706.04599)."""


def metrics_of(logits: Logits, labels: Labels) -> dict[str, float]:
    """Every metric by name: accuracy, balanced_accuracy, macro_f1, loss, ece, and top5_accuracy above five classes.

    `loss` is the mean log-loss in nats. Where a logit is NaN, so are loss and ece. Raises `ValueError` where logits
    and labels do not fit each other.
    """
    _check(logits, labels)
    counts = confusion(logits, labels)
    found = {
        "accuracy": float(hits_of(logits, labels).mean()),
        "balanced_accuracy": balanced_accuracy(counts),
        "macro_f1": macro_f1(counts),
        "loss": log_loss(logits, labels),
        "ece": calibration_error(logits, labels),
    }
    if logits.shape[1] > TOP:
        found[f"top{TOP}_accuracy"] = top_accuracy(logits, labels, TOP)
    return found


def hits_of(logits: Logits, labels: Labels) -> npt.NDArray[np.bool_]:
    """Which images have their largest logit at their label; of equal logits the first counts."""
    return np.asarray(logits.argmax(axis=1) == labels)


def confusion(logits: Logits, labels: Labels) -> Counts:
    """Images of each class (rows) by the class predicted (columns)."""
    classes = logits.shape[1]
    places = labels.astype(np.int64) * classes + logits.argmax(axis=1)
    return np.bincount(places, minlength=classes**2).reshape(classes, classes).astype(np.int64)


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


def log_loss(logits: Logits, labels: Labels) -> float:
    """Mean negative log-likelihood in nats."""
    picked = np.take_along_axis(log_softmax(logits), labels.astype(np.int64)[:, None], axis=1)
    return float(-picked.mean())


def top_accuracy(logits: Logits, labels: Labels, k: int) -> float:
    """Share of images with fewer than k logits above their label's; of equal logits the first counts as above."""
    own = np.take_along_axis(logits, labels.astype(np.int64)[:, None], axis=1)
    earlier = np.arange(logits.shape[1]) < labels[:, None]
    above = (logits > own) | ((logits == own) & earlier)
    return float((above.sum(axis=1) < k).mean())


def calibration_error(logits: Logits, labels: Labels, bins: int = BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over equal bins of confidence."""
    confidence = np.exp(log_softmax(logits)).max(axis=1)
    if np.isnan(confidence).any():
        return float("nan")
    gaps = hits_of(logits, labels) - confidence
    # Bins are open below and closed above, as in the paper.
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(places, weights=gaps, minlength=bins)).sum() / len(labels))


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
