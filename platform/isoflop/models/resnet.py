"""ResNet (He et al. 2016, arXiv 1512.03385) and ResNeXt of timm's basic and bottleneck blocks.

With stem 4 at depth and width 1 a variant is the published net, its weights in torchvision's order; stem 1 is the stem
for small images (section 4.2 of the paper), stem 2 stands between. `block` puts other blocks in the variant's places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timm.layers import DropPath
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

PLANES = 64
Block = type[BasicBlock | Bottleneck]


class Split(Bottleneck):  # type: ignore[misc]
    """ResNeXt's bottleneck, a sum of 32 narrow paths (Xie et al. 2017, arXiv 1611.05431): a convolution in groups."""

    group = 4
    """Channels of a group, of the 64 planes that the first stage is published with."""

    def __init__(self, inputs: int, planes: int, *sizes: Any, **named: Any) -> None:
        least = -(-PLANES // planes)  # in narrow nets a group keeps one channel
        super().__init__(inputs, planes, *sizes, cardinality=32, base_width=max(self.group, least), **named)


class WideSplit(Split):
    """The same with wider groups, as deeper nets have it."""

    group = 8


VARIANTS: Mapping[str, tuple[Block, tuple[int, ...]]] = {
    "18": (BasicBlock, (2, 2, 2, 2)),
    "34": (BasicBlock, (3, 4, 6, 3)),
    "50": (Bottleneck, (3, 4, 6, 3)),
    "101": (Bottleneck, (3, 4, 23, 3)),
    "152": (Bottleneck, (3, 8, 36, 3)),
    "x50": (Split, (3, 4, 6, 3)),
    "x101": (WideSplit, (3, 4, 23, 3)),
}
"""Blocks of each stage (the paper's table 1); x50 and x101 are ResNeXt's, 32 groups of 4 and 8 channels."""
WIDTHS = (PLANES, 128, 256, 512)
BLOCKS: Mapping[str, Block] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNet(Staged):
    """A stem and four stages of residual blocks."""

    def __init__(self, shape: Shape, *, block: Block, blocks: Sequence[int], channels: int, drop_path: float) -> None:
        super().__init__()
        width = shape.channels(WIDTHS[0])
        self.stem = _stem(channels, width, shape.stem)
        layers = [shape.layers(base) for base in blocks]
        drops = _drops(drop_path, sum(layers))
        stride = shape.stem
        steps = fitted((1, 2, 2, 2), -(-shape.resolution // shape.stem))
        for count, base, step in zip(layers, WIDTHS, steps, strict=True):
            outputs = shape.channels(base)
            dropped = [drops.pop(0) for _ in range(count)]
            self.stages.append(_stage(block, width, outputs, step, dropped))
            width, stride = outputs * block.expansion, stride * step
            self.strides.append(stride)
        self.channels = width
        self.apply(self.initialize)

    def initialize(self, module: nn.Module) -> None:
        """He et al. 2015 by outputs; each block begins as the identity (Goyal et al. 2017, arXiv 1706.02677)."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, (BasicBlock, Bottleneck)):
            module.zero_init_last()


def _stem(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    kernel, step = (7, 2) if stride > 1 else (3, 1)
    conv = nn.Conv2d(inputs, outputs, kernel, step, padding=kernel // 2, bias=False)
    pool = [nn.MaxPool2d(3, 2, padding=1)] if stride > 2 else []
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), *pool)


def _stage(block: Block, inputs: int, planes: int, stride: int, drops: list[float]) -> nn.Sequential:
    outputs = planes * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    paths = [DropPath(drop) if drop else None for drop in drops]
    first = block(inputs, planes, stride, shortcut, drop_path=paths[0])
    return nn.Sequential(first, *(block(outputs, planes, drop_path=path) for path in paths[1:]))


def _drops(rate: float, layers: int) -> list[float]:
    """Stochastic depth, growing linearly with depth (Huang et al. 2016, arXiv 1603.09382)."""
    return [rate * index / max(1, layers - 1) for index in range(layers)]


@register("resnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """ResNet of a shape; depth is blocks a stage."""
    published, blocks = VARIANTS[model.variant]
    block = BLOCKS.get(str(model.knob("block")), published)
    return ResNet(shape, block=block, blocks=blocks, channels=channels, drop_path=model.drop_path)
