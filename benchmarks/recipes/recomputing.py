"""Computing blocks again for the backward pass takes less memory (Chen et al. 2016, arXiv 1604.06174)."""

from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks.memory import Pair, measure
from benchmarks.recipes.row import Lab, Row, compared

NETS = (
    Pair(family="resnet", settings={"width": 0.25}, side=32, batch=64),
    Pair(family="vit", settings={"stem": 4}, side=32, batch=64),
    Pair(family="convnext", settings={"width": 0.25, "depth": 0.5}, side=32, batch=16),
    Pair(family="efficientnet", settings={"stem": 2}, side=96, batch=8),
)


def recomputed(lab: Lab) -> Row:
    """Peak of the allocator in a training step; one pair a net instead of a seed, for it does not depend on one."""
    nets = NETS[:3] if lab.quick else NETS
    pairs = [(-1.0, -_peak(replace(net, again=True)) / _peak(net)) for net in nets]
    note = f"SGD, shares of each net's peak; {', '.join(str(net) for net in nets)}"
    return compared("checkpointing", "minus peak memory", pairs, note)


def _peak(net: Pair) -> float:
    return float(measure(net, "sgd", torch.device("cpu")).peak)
