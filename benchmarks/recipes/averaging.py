"""Averaged weights beat the last ones (Polyak & Juditsky 1992; Izmailov et al. 2018, arXiv 1803.05407)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.recipes.row import Lab, Row, compared

NET: Mapping[str, Any] = {
    "model.family": "lenet",
    "data.name": "digits",
    "train.horizon": 10,
    "train.batch_size": 32,
    "optim.lr": 0.2,
    "schedule.name": "constant",
}
"""At a constant rate: what an average saves, a rate that falls would save too."""
EMA: Mapping[str, Any] = {"average.name": "ema", "average.decay": 0.98}
SWA: Mapping[str, Any] = {"average.name": "swa", "average.start": 0.5, "average.every": 0.25}


def exponential(lab: Lab) -> Row:
    """An exponential average beside the last weights."""
    return _row(lab, "EMA", EMA)


def stochastic(lab: Lab) -> Row:
    """A plain average of weights on the way beside the last ones."""
    return _row(lab, "SWA", SWA)


def _row(lab: Lab, name: str, average: Mapping[str, Any]) -> Row:
    pairs = [(_gain(lab, seed, NET), _gain(lab, seed, {**NET, **average})) for seed in lab.seeds]
    return compared(name, "minus validation loss", pairs, "digits; LeNet-5 at a constant learning rate")


def _gain(lab: Lab, seed: int, params: Mapping[str, Any]) -> float:
    """Validation loss at the end, less being better."""
    *_, last = lab.begin(seed, params)
    return -last.metrics["val_loss"]
