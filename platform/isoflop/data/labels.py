"""Labels of items as arrays, and what task they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isoflop.data.source import Item, Labels
from isoflop.tasks import CLASSIFICATION, MULTILABEL, Kind


def task_of(items: Sequence[Item]) -> Kind:
    """What a source asks of a model: one class an image, or any number of them."""
    return MULTILABEL if any(isinstance(item.label, tuple) for item in items) else CLASSIFICATION


def labels_of(items: Sequence[Item], classes: int) -> Labels:
    """Class indices int64 (N,), or multi-hot uint8 (N, classes) where an image may have any number of classes."""
    if task_of(items) is CLASSIFICATION:
        return np.array([item.label for item in items], np.int64)
    found = np.zeros((len(items), classes), np.uint8)
    for row, item in enumerate(items):
        found[row, list(item.classes)] = 1
    return found


def strata_of(labels: Labels) -> npt.NDArray[np.int64]:
    """A class for each image (N,) by which a share of them is drawn evenly: with several labels, their combination."""
    if labels.ndim == 1:
        return labels.astype(np.int64, copy=False)
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)


def counts_of(labels: Labels, classes: int) -> tuple[int, ...]:
    """Images of each class."""
    if labels.ndim == 1:
        return tuple(np.bincount(labels, minlength=classes).tolist())
    return tuple(labels.sum(axis=0, dtype=np.int64).tolist())


def named(label: np.integer[Any] | Labels, classes: Sequence[str]) -> str:
    """One image's label in words."""
    if np.ndim(label) == 0:
        return classes[int(label)]
    return " | ".join(classes[at] for at in np.flatnonzero(label).tolist()) or "none"
