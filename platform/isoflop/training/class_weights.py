"""Weights of classes by how many training images they have."""

from __future__ import annotations

import torch
from torch import Tensor

from isoflop.config import LossConfig


def of_classes(config: LossConfig, labels: Tensor, classes: int) -> Tensor | None:
    """Weights (classes,) of the classes of labels (N,), none where the configuration asks for none.

    `balanced`: N / (classes n), as scikit-learn's; `effective`: inverse to the effective number of samples, their mean
    being 1 (Cui et al. 2019, arXiv 1901.05555, equation 4). A class without images counts as having one.
    """
    counts = torch.bincount(labels, minlength=classes).clamp_min(1).double()
    if config.class_weights == "balanced":
        return (len(labels) / (classes * counts)).float()
    if config.class_weights == "effective":
        inverse = 1 / effective(counts, config.beta)
        return (inverse * classes / inverse.sum()).float()
    return None


def of_presence(config: LossConfig, labels: Tensor) -> Tensor | None:
    """Weights (classes,) of the presence of each class over its absence, from multi-hot labels (N, classes).

    `balanced`: images without it over images with it; `effective`: the same of effective numbers.
    """
    present = labels.sum(0, dtype=torch.int64)
    absent = (len(labels) - present).clamp_min(1).double()
    present = present.clamp_min(1).double()
    if config.class_weights == "balanced":
        return (absent / present).float()
    if config.class_weights == "effective":
        return (effective(absent, config.beta) / effective(present, config.beta)).float()
    return None


def effective(counts: Tensor, beta: float) -> Tensor:
    """The effective number of so many samples: (1 - beta**n) / (1 - beta); all 1 for a beta of 0."""
    return (1 - beta**counts) / (1 - beta)
