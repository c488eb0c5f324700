"""Weights of classes raise balanced accuracy where classes are unlike in size (Cui et al. 2019, arXiv 1901.05555)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recipes.row import Lab, Row, compared
from isoflop.data.preparation import prepare_source
from isoflop.data.sources.arrays import ArraySource
from isoflop.data.sources.digits import digits_source

NAME = "skewed"
MANY, FEW = 80, 4
"""Training images of the first five digits, and of the others."""
NET: Mapping[str, Any] = {
    "model.family": "lenet",
    "data.name": NAME,
    "optim.name": "adamw",
    "optim.lr": 3e-3,
    "train.batch_size": 32,
    "train.horizon": 20,
}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "balanced": {"loss.class_weights": "balanced"},
    "effective": {"loss.class_weights": "effective"},
    "sampled": {"data.balance": 1.0},
}


def weighted(lab: Lab) -> Row:
    """A loss weighted inversely to the classes' sizes."""
    return _row(lab, "class weights", WAYS["balanced"])


def effective(lab: Lab) -> Row:
    """A loss weighted by effective numbers of samples."""
    return _row(lab, "effective numbers", WAYS["effective"])


def sampled(lab: Lab) -> Row:
    """Every class drawn equally often."""
    return _row(lab, "balanced sampling", WAYS["sampled"])


def skewed(root: Path) -> Path:
    """Digits with few images of some classes to train on, validation and test as they come; prepared in a folder."""
    digits = digits_source()
    ((pixels, labels),) = digits.parts.values()
    order = np.random.default_rng(0).permutation(len(labels))
    pixels, labels = pixels[order], labels[order]
    train = np.concatenate([np.flatnonzero(labels[:900] == c)[: MANY if c < 5 else FEW] for c in range(10)])
    parts = {"train": train, "val": np.arange(900, 1350), "test": np.arange(1350, 1797)}
    rows = {name: (pixels[places], labels[places]) for name, places in parts.items()}
    source = ArraySource(name=NAME, kind="digits", classes=digits.classes, parts=rows)
    return prepare_source(source, root=root).path


def _row(lab: Lab, name: str, way: Mapping[str, Any]) -> Row:
    if not lab.data(NAME).exists():
        skewed(lab.data(NAME).parent)
    pairs = [(_earned(lab, seed, NET), _earned(lab, seed, {**NET, **way})) for seed in lab.seeds]
    return compared(
        name, "balanced accuracy", pairs, f"digits; five classes with {MANY} training images, five with {FEW}"
    )


def _earned(lab: Lab, seed: int, params: Mapping[str, Any]) -> float:
    *_, last = lab.begin(seed, params)
    return last.metrics["val_balanced_accuracy"]
