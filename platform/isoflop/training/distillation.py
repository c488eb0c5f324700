"""Learning from another net's answers (Hinton et al. 2015, arXiv 1503.02531)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, kl_div, log_softmax

from isoflop.config import DistillConfig
from isoflop.training.objective import Answers
from isoflop.training.task import Task


class Teacher(nn.Module):
    """A trained net's logits (N, classes) in the student's order, of images as the student sees them.

    It is in evaluation mode always, and nothing goes back through it. Images are resized to its own resolution and
    normalized with the statistics of its own data.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        resolution: int,
        order: Sequence[int],
        scale: Tensor,
        shift: Tensor,
    ) -> None:
        super().__init__()
        self.net = net.eval().requires_grad_(False)  # noqa: FBT003 - torch's own form
        self.resolution, self.scale, self.shift = resolution, scale, shift
        self.order = None if list(order) == list(range(len(order))) else torch.tensor(order, device=scale.device)
        """Where the student's classes stand among its own, none where they stand alike."""

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Its logits."""
        seen = images * self.scale + self.shift
        side = (self.resolution, self.resolution)
        if seen.shape[-2:] != side:
            seen = interpolate(seen, side, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = self.net(seen)
        return logits if self.order is None else logits[:, self.order]


class Distilled:
    """An objective: the task's loss and the distance from a teacher's answers, of each of the net's heads."""

    def __init__(self, task: Task, teacher: Teacher, config: DistillConfig) -> None:
        self.task, self.teacher = task, teacher
        self.weight, self.temperature = config.weight, config.temperature

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """Of one head, or the sum over several in their weights."""
        taught = self.teacher(images)
        answers: Tensor | Answers = net(images)
        if isinstance(answers, Tensor):
            return self._loss(answers, taught, targets)
        return torch.stack([weight * self._loss(outputs, taught, targets) for weight, outputs in answers]).sum()

    def _loss(self, outputs: Tensor, taught: Tensor, targets: Tensor) -> Tensor:
        soft = distance(outputs, taught, self.temperature)
        return self.weight * soft + (1 - self.weight) * self.task.loss(outputs, targets)


def distance(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the student's softened answers from the teacher's, logits (N, classes), times T^2.

    The square keeps its gradient as large as that of the labels' part, whatever the temperature (section 2.1).
    """
    ours, theirs = log_softmax(student / temperature, 1), log_softmax(teacher / temperature, 1)
    return kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2
