"""Whether losses and gradients are finite, looked at now and then, for each look waits for the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from isoflop.errors import DivergedError

STEPS = 32
"""Steps between two looks."""
SKIPPED = 32
"""Steps in a row that may be left out for an overflow. The scale halves at each; after as many it would be far below 1,
and what overflows still is no matter of the scale."""


class Watch:
    """Losses of the steps since a report, and what the gradients of those since the last look came to."""

    def __init__(self, *, skips: bool, mean: Callable[[Tensor], Tensor] = lambda values: values) -> None:
        self.skips = skips
        """Whether steps without a finite gradient are left out, so that they are no divergence."""
        self._over = mean
        """The mean over all processes of a training: they all see the same, so that they come to the same end."""
        self.row = self.skipped = 0
        """Steps left out last, one after another, and in all."""
        self._losses: list[Tensor] = []
        self._gradients: list[Tensor] = []

    def note(self, step: int, loss: Tensor, gradient: Tensor) -> None:
        """Keep what a step, counted from 1, came to. Raises `DivergedError` where a look finds what is not finite."""
        self._losses.append(loss)
        self._gradients.append(gradient)
        if len(self._gradients) == STEPS:
            self.look(step)

    def look(self, step: int) -> None:
        """Look at the steps up to this one that were not yet looked at. Raises `DivergedError` naming the first."""
        if not self._gradients:
            return
        first = step - len(self._gradients) + 1
        recent = len(self._gradients)
        seen = self._over(torch.stack([*self._losses[-recent:], *self._gradients]))
        self._losses[-recent:], self._gradients = list(seen[:recent]), []
        finite = torch.isfinite(seen).view(2, -1).tolist()
        for place, (loss, gradient) in enumerate(zip(*finite, strict=True), first):
            if self.skips:
                self._count(place, taken=gradient)
            elif not (loss and gradient):
                raise DivergedError(place, "gradient" if loss else "train_loss")

    def mean(self) -> float:
        """The mean loss since it was last asked for, of steps that were left out only where it is finite."""
        losses = torch.stack(self._losses)
        self._losses = []
        if self.skips:
            losses = losses[torch.isfinite(losses)]
        return losses.mean(dtype=torch.float64).item() if len(losses) else math.nan

    def state_dict(self) -> dict[str, int]:
        """Steps left out."""
        return {"row": self.row, "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on counting."""
        self.row, self.skipped = state["row"], state["skipped"]

    def _count(self, step: int, *, taken: bool) -> None:
        self.row = 0 if taken else self.row + 1
        self.skipped += not taken
        if self.row == SKIPPED:
            raise DivergedError(step, "gradient")


def whole(parameters: Sequence[nn.Parameter]) -> Tensor:
    """A number that is finite if the gradient of each parameter is.

    On a GPU it is the norm, which takes one kernel for all of them; on the CPU the sum, which takes half as long there
    and less than 0.3 % of a step (LeNet-5, a ResNet, an EfficientNet and a ViT, batches of 64 images of 28 pixels).
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if gradients and gradients[0].is_cuda:
        return get_total_norm(gradients)
    return torch.stack([gradient.sum() for gradient in gradients]).sum()
