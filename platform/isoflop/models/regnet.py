"""RegNet X and Y (Radosavovic et al. 2020, arXiv 2003.13678) of torchvision's blocks.

With stem 2 at depth and width 1 a variant is the published net, its weights in torchvision's order: y400m is RegNetY of
0.4 billion multiply-adds. Widths are multiples of the groups' width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torchvision.models.regnet import BlockParams, ResBottleneckBlock
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, dropped, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape


class Line(NamedTuple):
    """The line of widths that a net quantizes (the paper's equations 2 to 4)."""

    depth: int
    start: int
    slope: float
    ratio: float
    group: int
    squeeze: float | None = None


VARIANTS: Mapping[str, Line] = {
    "y400m": Line(16, 48, 27.89, 2.09, 8, 0.25),
    "y800m": Line(14, 56, 38.84, 2.4, 16, 0.25),
    "y1.6g": Line(27, 48, 20.71, 2.65, 24, 0.25),
    "y3.2g": Line(21, 80, 42.63, 2.66, 24, 0.25),
    "y8g": Line(17, 192, 76.82, 2.19, 56, 0.25),
    "y16g": Line(18, 200, 106.23, 2.48, 112, 0.25),
    "x400m": Line(22, 24, 24.48, 2.54, 16),
    "x800m": Line(16, 56, 35.73, 2.28, 16),
    "x1.6g": Line(18, 80, 34.01, 2.25, 24),
    "x3.2g": Line(25, 88, 26.31, 2.25, 48),
    "x8g": Line(23, 80, 49.56, 2.88, 120),
    "x16g": Line(22, 216, 55.59, 2.1, 128),
}
STEM = 32


class RegNet(Staged):
    """A stem and four stages of residual bottlenecks with groups."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        line = VARIANTS[variant]
        width = shape.channels(STEM)
        self.stem = Conv2dNormActivation(channels, width, kernel_size=kernel(shape.stem), stride=shape.stem)
        stages = [_stage(line, shape, *published) for published in _published(line)]
        self.channels = lay(self, stages, shape, inputs=width, drop_path=drop_path)
        self.apply(_initialize)


def _stage(line: Line, shape: Shape, width: int, layers: int) -> Stage:
    group = min(line.group, shape.channels(width))
    block = partial(_block, group=group, squeeze=line.squeeze)
    return Stage(shape.channels(width, group), 2, [block] * shape.layers(layers))


def _block(inputs: int, outputs: int, stride: int, drop: float, *, group: int, squeeze: float | None) -> nn.Module:
    share = max(squeeze, 1 / inputs) if squeeze else None  # the gate is one channel wide at least
    block = ResBottleneckBlock(inputs, outputs, stride, nn.BatchNorm2d, nn.ReLU, group_width=group, se_ratio=share)
    return dropped(block, block.f, drop)


def _published(line: Line) -> list[tuple[int, int]]:
    """Width and blocks of each published stage."""
    with torch.device("cpu"):  # it computes them with tensors
        found = BlockParams.from_init_params(line.depth, line.start, line.slope, line.ratio, line.group)
    return [*zip(found.widths, found.depths, strict=True)]


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))


@register("regnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """RegNet of a shape; depth is blocks a stage."""
    return RegNet(shape, model.variant, channels=channels, drop_path=model.drop_path)
