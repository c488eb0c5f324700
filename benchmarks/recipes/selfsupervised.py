"""A start without labels helps where there are few labels (Chen et al. 2020, arXiv 2002.05709)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.recipes.row import Lab, Row, compared
from isoflop.config import PretrainConfig, TrialConfig
from isoflop.pretraining import pretrain

SHARE = 0.01
"""Of the training images whose labels are known."""
NET: dict[str, Any] = {
    "model.family": "basic_cnn",
    "data.name": "digits",
    "augment.crop": 1,
}
VIEWS: dict[str, Any] = {
    "augment.crop": 0,
    "augment.rotation": 15.0,
    "augment.scale": 0.2,
    "augment.shear": 15.0,
    "augment.translation": 0.15,
    "augment.brightness": 0.3,
    "augment.contrast": 0.3,
}
"""What makes the two views of a digit: what leaves it the same digit."""
ALONE: dict[str, Any] = {"data.fraction": SHARE, "optim.lr": 0.02, "train.batch_size": 16, "train.axis": "images"}


def self_supervised(lab: Lab) -> Row:
    """The same few labels and steps with them, from weights that were drawn and from those of SimCLR on all images."""
    pairs = []
    for seed in lab.seeds:
        start = started(lab, seed)
        named = {"model.weights": start.stem}
        alone, after = (_accuracy(lab, seed, more, start) for more in ({}, named))
        pairs.append((alone, after))
    note = f"digits; {SHARE:.0%} of the labels (one of each class); SimCLR on all images"
    return compared("self-supervised start", "accuracy", pairs, note)


def started(lab: Lab, seed: int) -> Path:
    """Weights trained on all training images without labels."""
    params = {**NET, **VIEWS, "optim.lr": 0.05, "train.batch_size": 128, "train.reports": 1}
    config = TrialConfig.from_params({**params, "train.horizon": 10 if lab.quick else 20})
    run = pretrain(config, PretrainConfig(), seed, data=lab.data("digits"))
    list(run)
    (artifact,) = run.finish(lab.folder / "weights")
    return Path(artifact.path)


def _accuracy(lab: Lab, seed: int, more: dict[str, Any], start: Path) -> float:
    run = lab.begin(seed, {**NET, **ALONE, "train.horizon": 16 * 100, **more}, start)
    *_, last = run
    return last.metrics["val_accuracy"]
