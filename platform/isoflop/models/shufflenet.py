"""ShuffleNet v2 (Ma et al. 2018, arXiv 1807.11164) of torchvision's blocks.

With stem 4 at depth and width 1 a variant is the published net, its weights in torchvision's order. Widths are
multiples of 4 at most, as the published ones are. Its blocks have no paths that `drop_path` could drop.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torchvision.models.shufflenetv2 import InvertedResidual
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, close, lay
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[int, ...]] = {
    "x1.0": (24, 116, 232, 464, 1024),
    "x0.5": (24, 48, 96, 192, 1024),
    "x1.5": (24, 176, 352, 704, 1024),
    "x2.0": (24, 244, 488, 976, 2048),
}
"""Channels of the stem, the stages and the last convolution (the paper's table 5)."""
LAYERS = (4, 8, 4)
DIVISOR = 4


class ShuffleNet(Staged):
    """A stem, three stages and a last 1x1 convolution."""

    def __init__(self, shape: Shape, variant: str, *, channels: int) -> None:
        super().__init__()
        divisor = max(2, min(DIVISOR, shape.divisor))
        first, *widths, last = (shape.channels(base, divisor) for base in VARIANTS[variant])
        self.stem = _stem(channels, first, shape.stem)
        stages = [
            Stage(width, 2, [_first, *[_later] * (shape.layers(layers) - 1)])
            for width, layers in zip(widths, LAYERS, strict=True)
        ]
        inputs = lay(self, stages, shape, inputs=first)
        self.channels = last
        close(self, Conv2dNormActivation(inputs, last, kernel_size=1))


def _stem(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = Conv2dNormActivation(inputs, outputs, kernel_size=3, stride=min(stride, 2))
    return nn.Sequential(conv, *([nn.MaxPool2d(3, 2, padding=1)] if stride > 2 else []))


def _first(inputs: int, outputs: int, step: int, _: float) -> nn.Module:
    """The block in which the width changes; where a map must not shrink, with stride 1."""
    block: nn.Module = InvertedResidual(inputs, outputs, 2)
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
            layer.stride = (step, step)
    return block


def _later(inputs: int, outputs: int, step: int, _: float) -> nn.Module:
    block: nn.Module = InvertedResidual(inputs, outputs, step)
    return block


@register("shufflenet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """ShuffleNet v2 of a shape; depth is blocks a stage."""
    return ShuffleNet(shape, model.variant, channels=channels)
