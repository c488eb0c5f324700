"""What a training step makes smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor, nn

from isoflop.training.task import Task

Answers: TypeAlias = Sequence[tuple[float, Tensor]]
"""What a net with several heads answers in training: the weight of each head's loss, and its outputs."""


class Objective(Protocol):
    """The loss of a piece of a batch, by what a net makes of it. It may change the images first."""

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The mean loss over the piece, a scalar with its graph."""
        ...


class Supervised:
    """The task's loss of each of the net's heads, in their weights."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Of one head, or the sum over several."""
        answers: Tensor | Answers = net(images)
        if isinstance(answers, Tensor):
            return self.task.loss(answers, targets)
        return torch.stack([weight * self.task.loss(outputs, targets) for weight, outputs in answers]).sum()
