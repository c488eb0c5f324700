"""Tasks: what the targets are, and so the loss and the metrics with their direction."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from isoflop.config import LossConfig


class Task(Protocol):
    """What a training needs to know of its targets."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a training batch, a scalar."""
        ...

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Metrics over a whole split, `loss` among them."""
        ...


class Classification:
    """One label an image; outputs are logits (N, classes), targets class indices (N,)."""

    def __init__(self, config: LossConfig) -> None:
        self.smoothing = config.label_smoothing

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy, with label smoothing where the configuration asks (Szegedy et al. 2016, section 7)."""
        return cross_entropy(outputs, targets, label_smoothing=self.smoothing)

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Accuracy, and the log-loss without smoothing."""
        hits = (outputs.argmax(1) == targets).float()
        return {
            "accuracy": hits.mean(dtype=torch.float64).item(),
            "loss": cross_entropy(outputs.double(), targets).item(),
        }
