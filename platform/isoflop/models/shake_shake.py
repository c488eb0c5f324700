"""Shake-shake ResNet (Gastaldi 2017, arXiv 1705.07485): two residual branches that are mixed at random.

Written after the paper and its author's code (github.com/xgastaldi/shake-shake): neither torchvision nor timm has it.
With stem 1 at depth and width 1 a variant is the published net for images of 32 pixels, ResNet-26 of 32, 64 or 96
channels in each of two branches. It is "Shake-Shake-Image": forward and backward each image has random numbers of its
own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

VARIANTS: Mapping[str, int] = {"2x32d": 32, "2x64d": 64, "2x96d": 96}
"""Channels of the first stage's branches."""
STEM = 16
STAGES = 3
BLOCKS = 4
HALVES = 2
"""Of a shortcut's channels, which see different pixels: widths are multiples of it."""


def shake(one: Tensor, other: Tensor) -> Tensor:
    """A random mix of two tensors (N, ...), drawn for each of N from torch's generator; gradients are mixed anew."""
    if has_torch_function((one, other)):  # so that those who follow torch's functions see it as one
        mixed: Tensor = handle_torch_function(shake, (one, other), one, other)
    else:
        mixed = _Shake.apply(one, other)
    return mixed


class _Shake(torch.autograd.Function):
    """alpha * one + (1 - alpha) * other; the gradient goes to them as if alpha had been beta (the paper's figure 1)."""

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        drawn = (2, len(one), *[1] * (one.ndim - 1))
        alpha, beta = torch.rand(drawn, dtype=one.dtype, device=one.device)
        ctx.save_for_backward(beta)
        return torch.lerp(other, one, alpha)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (beta,) = ctx.saved_tensors
        return beta * gradient, (1 - beta) * gradient


class Shortcut(nn.Module):
    """Past a block that changes its map: half of the channels see every `stride`-th pixel, half those before them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // HALVES
        self.here = nn.Sequential(nn.AvgPool2d(1, stride), nn.Conv2d(inputs, half, 1, bias=False))
        shifted = (nn.ZeroPad2d((1, -1, 1, -1)), nn.AvgPool2d(1, stride))
        self.before = nn.Sequential(*shifted, nn.Conv2d(inputs, half, 1, bias=False))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps as the block's branches make them."""
        x = functional.relu(x)
        made: Tensor = self.norm(torch.cat([self.here(x), self.before(x)], dim=1))
        return made


class Block(nn.Module):
    """Two branches of ReLU and convolution, twice, beside a shortcut: shaken in training, averaged otherwise."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, drop: float) -> None:
        super().__init__()
        self.one = _branch(inputs, outputs, stride)
        self.other = _branch(inputs, outputs, stride)
        self.drop = DropPath(drop) if drop else nn.Identity()
        alike = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if alike else Shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The shortcut and what both branches add to it."""
        one, other = self.one(x), self.other(x)
        mixed = shake(one, other) if self.training else (one + other) / 2
        added: Tensor = self.shortcut(x) + self.drop(mixed)
        return added


def _branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ShakeShake(Staged):
    """A stem and three stages of blocks."""

    def __init__(self, shape: Shape, width: int, *, channels: int, drop_path: float) -> None:
        super().__init__()
        inputs, stride = shape.channels(STEM), shape.stem
        kernel = max(3, 2 * stride - 1)  # no pixel is left unseen
        conv = nn.Conv2d(channels, inputs, kernel, stride, padding=kernel // 2, bias=False)
        self.stem = nn.Sequential(conv, nn.BatchNorm2d(inputs))
        count = shape.layers(BLOCKS)
        drops = iter([drop_path * place / max(1, STAGES * count - 1) for place in range(STAGES * count)])
        steps = fitted((1, *[2] * (STAGES - 1)), -(-shape.resolution // stride))
        for place, step in enumerate(steps):
            outputs, blocks = _even(width * 2**place, shape), nn.Sequential()
            for layer in range(count):
                blocks.append(Block(inputs, outputs, 1 if layer else step, drop=next(drops)))
                inputs = outputs
            self.stages.append(blocks)
            stride *= step
            self.strides.append(stride)
        self.channels = inputs
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """The last map's activations, averaged over its place."""
        return functional.relu(self.last(x)).mean((2, 3))


def _even(base: int, shape: Shape) -> int:
    return shape.channels(base, math.lcm(HALVES, shape.divisor))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


@register("shake_shake")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Shake-shake ResNet of a shape; depth is blocks a stage."""
    return ShakeShake(shape, VARIANTS[model.variant], channels=channels, drop_path=model.drop_path)
