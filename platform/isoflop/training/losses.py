"""Losses on logits, each the mean over a piece of a batch.

All take soft targets; those over a softmax take class indices too. A mean is over images, whatever weights they have,
so that a batch in pieces comes to the loss of the whole one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax, one_hot

LEAST = 1e-7
"""Distance from a sure answer below which the focal loss is flat: powers below 1 have no slope at 0."""


def softmax_loss(outputs: Tensor, targets: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of logits (N, classes) with class indices (N,) or probabilities (N, classes).

    With label smoothing (Szegedy et al. 2016, arXiv 1512.00567, section 7) and weights of the classes (classes,).
    """
    if weights is None:
        return cross_entropy(outputs, targets, label_smoothing=smoothing)
    return cross_entropy(outputs, targets, weights, label_smoothing=smoothing, reduction="none").mean()


def softmax_focal_loss(
    outputs: Tensor, targets: Tensor, *, gamma: float, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Focal loss over a softmax: each class's part of the cross-entropy times (1 - p)**gamma (arXiv 1708.02002)."""
    classes = outputs.shape[1]
    wanted = targets if targets.is_floating_point() else one_hot(targets, classes).to(outputs.dtype)
    logs = log_softmax(outputs, 1)
    parts = -logs * (-torch.expm1(logs)).clamp_min(LEAST) ** gamma * _smooth(wanted, smoothing, classes)
    return (parts if weights is None else parts * weights).sum(1).mean()


def sigmoid_loss(outputs: Tensor, targets: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of logits with targets, both (N, classes); `weights` (classes,) are those of presence."""
    wanted = _smooth(targets.to(outputs.dtype), smoothing, 2)
    return binary_cross_entropy_with_logits(outputs, wanted, pos_weight=weights)


def sigmoid_focal_loss(
    outputs: Tensor, targets: Tensor, *, gamma: float, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Focal loss of logits with targets, both (N, classes): binary cross-entropy times (1 - p)**gamma.

    p is the probability of the target, with soft targets its mean; `weights` (classes,) are those of presence.
    """
    wanted = _smooth(targets.to(outputs.dtype), smoothing, 2)
    parts = binary_cross_entropy_with_logits(outputs, wanted, pos_weight=weights, reduction="none")
    found = outputs.sigmoid()
    wrong = found + wanted - 2 * found * wanted  # 1 - p
    return (parts * wrong.clamp_min(LEAST) ** gamma).mean()


def _smooth(targets: Tensor, smoothing: float, answers: int) -> Tensor:
    """Targets with a share of them spread evenly over so many answers."""
    return targets * (1 - smoothing) + smoothing / answers if smoothing else targets
