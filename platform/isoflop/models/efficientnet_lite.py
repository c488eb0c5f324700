"""EfficientNet-Lite (Liu 2020, after Tan & Le 2019, arXiv 1905.11946) of timm's inverted residuals.

EfficientNet for devices without squeeze-and-excitation and SiLU. With stem 2 at depth and width 1 a variant is the
published net, its weights in timm's order. Only `model.width` scales the stem and the last convolution, and only
`model.depth` the first and last stage, not the variant. Inside blocks channels are multiples of 8, as in timm's code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
from torch import nn
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.efficientnet import LAST, ROWS, STEM, Row
from isoflop.models.initial import spread_by_group
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, close, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape, round_channels

VARIANTS: Mapping[str, tuple[float, float]] = {
    "0": (1.0, 1.0),
    "1": (1.1, 1.0),
    "2": (1.2, 1.1),
    "3": (1.4, 1.2),
    "4": (1.8, 1.4),
}
"""Depth and width of the published nets, as multiples of Lite0's (the authors' code)."""
convolution = partial(Conv2dNormActivation, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6)


class EfficientNetLite(Staged):
    """A stem, seven stages of inverted residuals and a last 1x1 convolution."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        depth, width = VARIANTS[variant]
        stem = shape.channels(STEM)
        self.stem = convolution(channels, stem, kernel_size=kernel(shape.stem), stride=shape.stem)
        stages = [_stage(row, shape, 1.0 if row in {ROWS[0], ROWS[-1]} else depth, width) for row in ROWS]
        inputs = lay(self, stages, shape, inputs=stem, drop_path=drop_path)
        self.channels = shape.channels(LAST)
        close(self, convolution(inputs, self.channels, kernel_size=1))
        self.apply(spread_by_group)


def _stage(row: Row, shape: Shape, depth: float, width: float) -> Stage:
    blocks = [partial(_block, row=row)] * shape.layers(math.ceil(row.layers * depth))
    return Stage(shape.channels(round_channels(row.channels * width)), row.stride, blocks)


def _block(inputs: int, outputs: int, stride: int, drop: float, *, row: Row) -> nn.Module:
    make = DepthwiseSeparableConv if row.expand == 1 else partial(InvertedResidual, exp_ratio=row.expand)
    block: nn.Module = make(inputs, outputs, row.kernel, stride, act_layer=nn.ReLU6, drop_path_rate=drop)
    return block


@register("efficientnet_lite")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """EfficientNet-Lite of a shape; depth is blocks a stage."""
    return EfficientNetLite(shape, model.variant, channels=channels, drop_path=model.drop_path)
