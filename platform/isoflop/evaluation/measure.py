"""The metrics of any task, and its hits, out of logits and labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.blocks import Labels, Logits
from isoflop.evaluation.metrics import hits_of, metrics_of
from isoflop.evaluation.multilabel import exact_hits, multilabel_metrics
from isoflop.tasks import Kind

Measure = Callable[[Logits, Labels, Collection[str]], dict[str, float]]

_MEASURES: Final[Mapping[str, Measure]] = {"classification": metrics_of, "multilabel": multilabel_metrics}
_HITS: Final[Mapping[str, Callable[[Logits, Labels], npt.NDArray[np.bool_]]]] = {
    "classification": hits_of,
    "multilabel": exact_hits,
}


def measure(kind: Kind, logits: Logits, labels: Labels, *, asked: Collection[str] | None = None) -> dict[str, float]:
    """The task's metrics by name: all of them, or those that cost little and the ones that are asked for.

    What is not defined on these labels is left out. Raises `ValueError` where logits and labels do not fit.
    """
    offered = kind.offered(logits.shape[1])
    names = [m.name for m in offered if asked is None or not m.costly or m.name in asked]
    return _MEASURES[kind.name](logits, labels, names)


def hits(kind: Kind, logits: Logits, labels: Labels) -> npt.NDArray[np.bool_]:
    """Which images (N,) are answered wholly rightly."""
    return _HITS[kind.name](logits, labels)
