"""Images changed within a bound so that a net does worse on them: FGSM and PGD, for training and for measuring.

PGD (Madry et al. 2018, arXiv 1706.06083, equation after 2.1) steps along the sign of the loss's gradient by the image
and back into the bound, each pixel by itself; FGSM (Goodfellow et al. 2015, arXiv 1412.6572) is its one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from isoflop.config import AdversaryConfig
from isoflop.training.objective import Objective

Loss = Callable[[Tensor], Tensor]
"""A scalar of a batch of images."""


class Pixels:
    """What pixel values 0..1 are in images normalized by channel: value = pixel * scale + shift."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        least = 1e-3 / 255  # as batches are normalized where a channel is constant
        self.std = torch.tensor(std, dtype=torch.float32, device=device).clamp_min(least)[None, :, None, None]
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device)[None, :, None, None]
        self.low, self.high = -self.mean / self.std, (1 - self.mean) / self.std

    def length(self, pixels: float) -> Tensor:
        """A difference of pixel values in normalized units, by channel (1, C, 1, 1)."""
        return pixels / self.std


class Attack:
    """Moves images by at most epsilon a pixel, inside 0..1, so that a loss of them rises."""

    def __init__(self, config: AdversaryConfig, pixels: Pixels) -> None:
        self.turns, self.random = config.turns, config.random_start
        self.bound, self.stride = pixels.length(config.epsilon), pixels.length(config.stride)
        self.pixels = pixels

    def __call__(self, loss: Loss, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The changed images. The start is drawn from a generator, by default torch's own of the images' device."""
        low = torch.maximum(images - self.bound, self.pixels.low)
        high = torch.minimum(images + self.bound, self.pixels.high)
        moved = images
        if self.random:
            moved = images + self.bound * torch.empty_like(images).uniform_(-1, 1, generator=generator)
        moved = moved.clamp(low, high)
        for _ in range(self.turns):
            moved.requires_grad_()
            (gradient,) = torch.autograd.grad(loss(moved), moved)
            moved = (moved.detach() + self.stride * gradient.sign()).clamp(low, high)
        return moved


class Adversarial:
    """An objective: another one, on images of which a share were attacked first.

    Attacks raise `against`, as a rule the task's own loss. What they draw comes from torch's generator of the device,
    which each step seeds.
    """

    def __init__(self, inner: Objective, attack: Attack, *, against: Objective, share: float) -> None:
        self.inner, self.attack, self.against, self.share = inner, attack, against, share

    def __call__(self, net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        """The inner objective's loss."""
        count = math.ceil(self.share * len(images))
        with evaluating(net):
            moved = self.attack(whole(self.against, net, targets[:count]), images[:count])
        return self.inner(net, torch.cat([moved, images[count:]]) if count < len(images) else moved, targets)


def whole(objective: Objective, net: nn.Module, targets: Tensor) -> Loss:
    """An objective's loss summed over the images, not their mean: small gradients are not lost in half precision."""
    return lambda images: objective(net, images, targets) * len(targets)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Have a net in evaluation mode for a while."""
    before = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(before)
