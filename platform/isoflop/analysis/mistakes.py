"""Where a run goes wrong: its hardest images, and its accuracy class by class and slice by slice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from isoflop.analysis.slices import Slicing
from isoflop.effects import shortfalls
from isoflop.evaluation.metrics import shifted
from isoflop.evaluation.predictions import Predictions
from isoflop.statistics import Hits, hits_interval, holm
from isoflop.tasks import CLASSIFICATION

Row = dict[str, Any]

FALSE: Final = 0.05
"""How often any part at all may be called worse by chance, where none is."""


def mistakes(
    found: Sequence[Predictions], classes: Sequence[str], *, slices: Mapping[str, Slicing] | None = None, top: int = 20
) -> Row:
    """What the stored answers of one or more seeds say together, as JSON values.

    `hardest`: the images whose truth has the lowest mean probability over seeds (of several labels an image, the least
    of all its answers'), with how many seeds missed them. `confused`: pairs of classes, over all seeds. `classes` and
    `slices`: the share of images answered rightly with its interval over seeds and images, the lowest first of each
    way to slice; `p` is one-sided of being no worse than all other images, corrected for all classes, and for all
    slices of all ways (Holm 1979), and `worse` whether it is below 5 %.
    """
    hits = np.stack([one.hits for one in found])
    ways = [(by, name, mask) for by, slicing in (slices or {}).items() for name, mask in slicing.items()]
    of_classes = [("class", name, mask) for name, mask in of_each_class(found[0], classes).items()]
    return {
        "images": hits.shape[1],
        "seeds": len(hits),
        "accuracy": _share(hits),
        "hardest": _hardest(found, hits, classes, top),
        "confused": _confused(found, classes, top),
        "classes": _parts(hits, of_classes),
        "slices": _parts(hits, ways),
    }


def certainty(found: Predictions) -> npt.NDArray[np.float64]:
    """The probability that each image's true answer was given, (N,); of several labels, that of its worst one."""
    if found.task == CLASSIFICATION:
        return np.asarray(_softmax(found)[np.arange(len(found.labels)), found.labels])
    probabilities = 1 / (1 + np.exp(-found.logits.astype(np.float64)))
    return np.asarray(np.where(found.labels > 0, probabilities, 1 - probabilities).min(axis=1))


def _softmax(found: Predictions) -> npt.NDArray[np.float64]:
    raised = np.exp(shifted(found.logits).astype(np.float64))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _hardest(found: Sequence[Predictions], hits: Hits, classes: Sequence[str], top: int) -> list[Row]:
    sure = np.mean([certainty(one) for one in found], axis=0)
    rows: list[Row] = []
    for place in np.argsort(sure, kind="stable")[:top].tolist():
        row: Row = {"image": place, "probability": float(sure[place]), "missed": int((~hits[:, place]).sum())}
        rows.append(row | _answer(found, place, classes))
    return rows


def _answer(found: Sequence[Predictions], place: int, classes: Sequence[str]) -> Row:
    """What an image is, and what most seeds, or the surest of them, said it to be."""
    first = found[0]
    if first.task != CLASSIFICATION:
        said = np.mean([one.logits[place].astype(np.float64) > 0 for one in found], axis=0) > 0.5
        return {"class": _names(first.labels[place] > 0, classes), "said": _names(said, classes), "confidence": None}
    mean = np.mean([_softmax(_one(one, place))[0] for one in found], axis=0)
    return {
        "class": classes[int(first.labels[place])],
        "said": classes[int(mean.argmax())],
        "confidence": float(mean.max()),
    }


def _one(found: Predictions, place: int) -> Predictions:
    """The predictions of one image alone."""
    return Predictions(
        logits=found.logits[place : place + 1],
        labels=found.labels[place : place + 1],
        split=found.split,
        data_digest=found.data_digest,
        sha256=found.sha256,
        task=found.task,
    )


def _names(mask: npt.NDArray[np.bool_], classes: Sequence[str]) -> str:
    return ", ".join(classes[at] for at in np.flatnonzero(mask).tolist()) or "-"


def _confused(found: Sequence[Predictions], classes: Sequence[str], top: int) -> list[Row]:
    """Pairs of classes taken for each other, most often first; none of several labels an image."""
    if found[0].task != CLASSIFICATION:
        return []
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for one in found:
        np.add.at(counts, (one.labels, one.logits.argmax(axis=1)), 1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts.ravel(), kind="stable")[:top]
    pairs = [divmod(int(at), len(classes)) for at in order if counts.ravel()[at]]
    return [{"class": classes[a], "said": classes[b], "answers": int(counts[a, b])} for a, b in pairs]


def of_each_class(found: Predictions, classes: Sequence[str]) -> Slicing:
    """Which images are of each class; of several labels an image, in several."""
    truth = found.labels[:, None] == np.arange(len(classes)) if found.labels.ndim == 1 else found.labels > 0
    return {name: truth[:, at] for at, name in enumerate(classes)}


def _parts(hits: Hits, parts: Sequence[tuple[str, str, npt.NDArray[np.bool_]]]) -> list[Row]:
    """The share of right answers in each part that has images, and whether it is worse than the rest."""
    standing = [part for part in parts if part[2].any()]
    p_values = _corrected(shortfalls(hits, [mask for *_, mask in standing]))
    rows = [
        {"by": by, "name": name, "images": int(mask.sum())}
        | _share(hits[:, mask])
        | {"p": p, "worse": p is not None and p < FALSE}
        for (by, name, mask), p in zip(standing, p_values, strict=True)
    ]
    order = {by: place for place, (by, *_) in reversed(list(enumerate(standing)))}
    return sorted(rows, key=lambda row: (order[str(row["by"])], row["mean"], str(row["name"])))


def _corrected(p_values: Sequence[float]) -> list[float | None]:
    """P-values corrected for all that are known, none for those that are not."""
    known = [place for place, p in enumerate(p_values) if not math.isnan(p)]
    adjusted = dict(zip(known, holm([p_values[place] for place in known]).tolist(), strict=True))
    return [adjusted.get(place) for place in range(len(p_values))]


def _share(hits: Hits) -> Row:
    found = hits_interval(hits)
    return {"mean": found.mean, "low": found.low, "high": found.high}
