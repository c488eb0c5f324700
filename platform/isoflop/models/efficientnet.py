"""EfficientNet (Tan & Le 2019, arXiv 1905.11946) of torchvision's MBConv blocks with squeeze-and-excitation.

With stem 2 at depth and width 1 a variant is the published net, its weights in torchvision's order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from torch import nn
from torchvision.models.efficientnet import MBConv, MBConvConfig
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape, round_channels


class Stage(NamedTuple):
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
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
convolution = partial(Conv2dNormActivation, norm_layer=nn.BatchNorm2d, activation_layer=nn.SiLU)


class EfficientNet(Staged):
    """A stem, seven stages of MBConv blocks and a last 1x1 convolution."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        depth, width = VARIANTS[variant]
        stages = [
            stage._replace(channels=round_channels(stage.channels * width), layers=math.ceil(stage.layers * depth))
            for stage in STAGES
        ]
        stem, last = round_channels(STEM * width), round_channels(LAST * width)
        inputs, stride = shape.channels(stem), shape.stem
        self.strides = [stride]
        # Up to stride 2 the paper's kernel; at stride 4, ResNet's 7x7, so that no pixel is left unseen.
        parts: list[nn.Module] = [convolution(channels, inputs, kernel_size=max(3, 2 * stride - 1), stride=stride)]
        total, done = sum(shape.layers(stage.layers) for stage in stages), 0
        steps = fitted((stage.stride for stage in stages), -(-shape.resolution // stride))
        for stage, step in zip(stages, steps, strict=True):
            outputs, layers = shape.channels(stage.channels), shape.layers(stage.layers)
            drops = [drop_path * (done + k) / total for k in range(layers)]
            parts.append(_stage(stage, inputs, outputs, step, drops))
            inputs, stride, done = outputs, stride * step, done + layers
            self.strides.append(stride)
        self.channels = shape.channels(last)
        parts.append(convolution(inputs, self.channels, kernel_size=1))
        self.strides.append(stride)
        self.stages.extend(parts)
        self.apply(_initialize)


class Row(MBConvConfig):  # type: ignore[misc]
    """A block's configuration with channels as they are: ours are rounded already, by the study's divisor."""

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        """Channels times a multiplier, not rounded to multiples of 8."""
        del min_value
        return int(channels * width_mult)


def _stage(stage: Stage, inputs: int, outputs: int, stride: int, drops: list[float]) -> nn.Sequential:
    first = Row(stage.expand, stage.kernel, stride, inputs, outputs, 1)
    later = Row(stage.expand, stage.kernel, 1, outputs, outputs, 1)
    rows = zip([first, *[later] * (len(drops) - 1)], drops, strict=True)
    return nn.Sequential(*(MBConv(row, drop, nn.BatchNorm2d) for row, drop in rows))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@register("efficientnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """EfficientNet of a shape; depth is blocks a stage."""
    return EfficientNet(shape, model.variant, channels=channels, drop_path=model.drop_path)
