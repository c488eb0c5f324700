"""EfficientNet (Tan & Le 2019, arXiv 1905.11946) of torchvision's MBConv blocks with squeeze-and-excitation.

With stem 2 at depth and width 1 a variant is the published net, its weights in torchvision's order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from torch import nn
from torchvision.models.efficientnet import MBConv, MBConvConfig
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.initial import spread
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, close, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape, round_channels


class Row(NamedTuple):
    """A row of the paper's table 1."""

    expand: int
    kernel: int
    stride: int
    channels: int
    layers: int


STEM, LAST = 32, 1280
VARIANTS: Mapping[str, tuple[float, float]] = {
    "b0": (1.0, 1.0),
    "b1": (1.1, 1.0),
    "b2": (1.2, 1.1),
    "b3": (1.4, 1.2),
    "b4": (1.8, 1.4),
    "b5": (2.2, 1.6),
    "b6": (2.6, 1.8),
    "b7": (3.1, 2.0),
}
"""Depth and width of the published nets, as multiples of B0's (the authors' code)."""
EPSILON: Mapping[str, float] = dict.fromkeys(("b5", "b6", "b7"), 1e-3)
"""What torchvision's norms add to the variance, where it is not torch's 1e-5."""
ROWS = (
    Row(1, 3, 1, 16, 1),
    Row(6, 3, 2, 24, 2),
    Row(6, 5, 2, 40, 2),
    Row(6, 3, 2, 80, 3),
    Row(6, 5, 1, 112, 3),
    Row(6, 5, 2, 192, 4),
    Row(6, 3, 1, 320, 1),
)


class EfficientNet(Staged):
    """A stem, seven stages of MBConv blocks and a last 1x1 convolution."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        depth, width = VARIANTS[variant]
        norm = partial(nn.BatchNorm2d, eps=EPSILON.get(variant, 1e-5))
        convolution = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        stem = shape.channels(round_channels(STEM * width))
        self.stem = convolution(channels, stem, kernel_size=kernel(shape.stem), stride=shape.stem)
        stages = [
            Stage(
                shape.channels(round_channels(row.channels * width)),
                row.stride,
                [partial(_block, row=row, norm=norm)] * shape.layers(math.ceil(row.layers * depth)),
            )
            for row in ROWS
        ]
        inputs = lay(self, stages, shape, inputs=stem, drop_path=drop_path)
        self.channels = shape.channels(round_channels(LAST * width))
        close(self, convolution(inputs, self.channels, kernel_size=1))
        self.apply(spread)


class Exact(MBConvConfig):  # type: ignore[misc]
    """A block's configuration with channels as they are: ours are rounded already, by the study's divisor."""

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        """Channels times a multiplier, not rounded to multiples of 8."""
        del min_value
        return int(channels * width_mult)


def _block(
    inputs: int, outputs: int, stride: int, drop: float, *, row: Row, norm: Callable[[int], nn.Module]
) -> nn.Module:
    block: nn.Module = MBConv(Exact(row.expand, row.kernel, stride, inputs, outputs, 1), drop, norm)
    return block


@register("efficientnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """EfficientNet of a shape; depth is blocks a stage."""
    return EfficientNet(shape, model.variant, channels=channels, drop_path=model.drop_path)
