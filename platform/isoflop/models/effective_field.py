"""Which pixels a value really depends on: effective receptive fields by gradient.

After Luo et al. 2016, Understanding the effective receptive field in deep convolutional neural networks (arXiv
1701.04128): how much a pixel matters to the central place of the last map is the derivative of that place's value by
it, over random images, and the field is the pixels that matter more than 1 - 95.45 % of the centre (section 3.1; two
standard deviations), its size the square root of their number. Signs must not cancel, so pixels have the root of the
mean square (the paper's section 2 reasons about the variance). A map has many channels: the value is their sum with
random weights, of which the mean square is that over all channels.

It is a property of the weights too. Those of a net that was not trained are drawn; batch norms are given the statistics
of the images, and gains that begin at or near zero, which make every block begin as the identity, are set to 1: with
them a residual net would see little more than its shortcuts do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from isoflop.config import ModelConfig
from isoflop.models.latency import fastest
from isoflop.models.net import LAYOUT, Body
from isoflop.models.registry import build

THRESHOLD = 1 - 0.9545
"""Share of the largest derivative from which a pixel belongs to the field."""
IMAGES = 16
AT_ONCE = 4
"""Images that go through the net at once."""
CLOSED = 1e-3
"""Up to this a gain counts as zero: layer scales begin at 1e-6 to 1e-4."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectiveField:
    """How far a net that was not trained sees."""

    side: float
    """Pixels of the side of a square as large as the field."""
    resolution: int
    """Pixels of the image's side."""
    images: int
    """Random images that were looked at."""


def effective_field(
    model: ModelConfig,
    *,
    image: tuple[int, int, int],
    images: int = IMAGES,
    seed: int = 0,
    device: torch.device | None = None,
) -> EffectiveField:
    """Measure the field of a model's last map on random images, for images stored as (channels, height, width).

    By default it runs on the first GPU, else on the CPU. Raises `SpecError` for a shape that cannot be.
    """
    place = device or fastest()
    net = build(model, image=image, classes=1, seed=seed)
    side, generator = net.shape.resolution, torch.Generator().manual_seed(seed)
    batches = torch.randn(images, image[0], side, side, generator=generator).to(place)
    body = awake(net.body.to(place).to(memory_format=LAYOUT), batches[:AT_ONCE])
    seen = derivatives(lambda x: list(body.features(x).values())[-1], batches, generator)
    return EffectiveField(side=extent(seen), resolution=side, images=images)


def derivatives(last: Callable[[Tensor], Tensor], images: Tensor, generator: torch.Generator) -> Tensor:
    """How much each pixel (H, W) matters to the central place of what `last` makes of images (N, C, H, W)."""
    squares = torch.zeros(images.shape[-2:], device=images.device, dtype=images.dtype)
    for first in range(0, len(images), AT_ONCE):
        x = images[first : first + AT_ONCE].clone().requires_grad_()
        made = last(x)
        middle = made[:, :, made.shape[2] // 2, made.shape[3] // 2]
        weights = torch.randn(middle.shape, generator=generator).to(middle)
        (found,) = torch.autograd.grad((middle * weights).sum(), x)
        squares += found.square().sum((0, 1))
    return (squares / (images.shape[0] * images.shape[1])).sqrt()


def extent(derivatives: Tensor) -> float:
    """Pixels of the side of a square as large as the field of these derivatives (H, W)."""
    return math.sqrt(int((derivatives > THRESHOLD * derivatives.max()).sum()))


def awake(body: Body, images: Tensor) -> Body:
    """A body with open gains and with batch norms that know the images' statistics, in evaluation mode."""
    for name, weight in body.named_parameters():
        gain = weight.numel() == max(weight.shape, default=1) and not name.endswith("bias")
        if gain and bool((weight.detach().abs() <= CLOSED).all()):
            nn.init.ones_(weight)
    norms = [module for module in body.eval().modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, not a moving one
        norm.train()
    with torch.no_grad():
        body(images)
    return body.eval()
