"""What stored predictions say class by class: a pure function of them, as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.blocks import Counts, Floats
from isoflop.evaluation.calibration import Reliability, reliability
from isoflop.evaluation.curves import average_precision
from isoflop.evaluation.measure import measure
from isoflop.evaluation.metrics import Answers
from isoflop.evaluation.multilabel import Several
from isoflop.evaluation.predictions import Predictions

PAIRS: Final = 100
"""Pairs of classes that are named as taken for each other."""
SCHEMA: Final = 1

Report = dict[str, Any]


def report_of(found: Predictions, classes: Sequence[str]) -> Report:
    """Metrics, each class, the classes taken for each other, and calibration.

    `classes`: name, images, said (images it was said of), precision, recall and f1, and of several labels an image the
    average precision; precision is 0 where it was never said, recall 0 where no image has it. `macro`: their means over
    the classes that have images or were said. `confusion`: the cells that are not 0, as (class, class said, images).
    `confused`: the pairs most often mixed up. `calibration`: the error, and by bin of probability the answers, their
    mean probability and the share that was right. Raises `ValueError` where classes and logits do not fit.
    """
    if len(classes) != found.logits.shape[1]:
        raise ValueError(f"{len(classes)} classes do not fit logits of shape {found.logits.shape}")
    return {
        "schema": SCHEMA,
        "task": found.task.name,
        "split": found.split,
        "data_digest": found.data_digest,
        "predictions": found.sha256,
        "images": len(found.labels),
        "metrics": measure(found.task, found.logits, found.labels),
        **_PARTS[found.task.name](found, classes),
    }


def _single(found: Predictions, classes: Sequence[str]) -> Report:
    answers = Answers(found.logits, found.labels)
    counts = answers.counts
    table = _table(np.diag(counts), counts.sum(axis=1), counts.sum(axis=0), classes)
    off = counts - np.diag(np.diag(counts))
    return {
        "macro": _macro(table),
        "classes": table,
        "confusion": [[int(a), int(b), int(counts[a, b])] for a, b in np.argwhere(counts)],
        "confused": _pairs(off, classes),
        "calibration": _calibration(reliability(answers.confidence, answers.hits)),
    }


def _several(found: Predictions, classes: Sequence[str]) -> Report:
    several = Several(found.logits, found.labels)
    table = _table(several.hits, several.truth.sum(axis=0), several.said.sum(axis=0), classes)
    for row, area in zip(table, several.by_class(average_precision), strict=True):
        row["average_precision"] = area if area == area else None  # noqa: PLR0124 - NaN where no image has the class
    missed, wrong = several.truth & ~several.said, several.said & ~several.truth
    # Of an image that lacks one of its classes and was said to have another, either may stand for the other.
    off = missed.T.astype(np.float32) @ wrong.astype(np.float32)
    return {
        "macro": _macro(table),
        "classes": table,
        "confusion": [[int(a), int(b), int(off[a, b])] for a, b in np.argwhere(off)],
        "confused": _pairs(off.astype(np.int64), classes),
        "calibration": _calibration(reliability(several.probabilities, several.truth)),
    }


_PARTS: Final[Mapping[str, Callable[[Predictions, Sequence[str]], Report]]] = {
    "classification": _single,
    "multilabel": _several,
}


def _table(hits: Counts, images: Counts, said: Counts, classes: Sequence[str]) -> list[dict[str, Any]]:
    """A row a class."""
    precision, recall, f1 = _share(hits, said), _share(hits, images), _share(2 * hits, images + said)
    return [
        {
            "class": name,
            "images": int(images[at]),
            "said": int(said[at]),
            "precision": float(precision[at]),
            "recall": float(recall[at]),
            "f1": float(f1[at]),
        }
        for at, name in enumerate(classes)
    ]


def _macro(table: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    there = [row for row in table if row["images"] or row["said"]]
    return {name: float(np.mean([row[name] for row in there] or [0.0])) for name in ("precision", "recall", "f1")}


def _pairs(off: npt.NDArray[np.int64], classes: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs mixed up most often, of equals the first."""
    flat = off.ravel()
    order = np.argsort(-flat, kind="stable")[:PAIRS]
    places = [divmod(int(at), len(classes)) for at in order if flat[at] > 0]
    return [{"class": classes[a], "said": classes[b], "images": int(off[a, b])} for a, b in places]


def _calibration(found: Reliability) -> dict[str, Any]:
    shares = zip(_share(found.said, found.answers), _share(found.right, found.answers), strict=True)
    bins = [
        {"answers": int(count), "probability": float(said), "right": float(right)}
        for count, (said, right) in zip(found.answers, shares, strict=True)
    ]
    return {"error": found.error, "bins": bins}


def _share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Floats:
    """Parts of wholes, 0 where there is no whole."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0))
