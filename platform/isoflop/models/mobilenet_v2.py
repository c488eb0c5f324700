"""MobileNet v2 (Sandler et al. 2018, arXiv 1801.04381) of torchvision's inverted residuals.

With stem 2 at depth and width 1 it is the published net, its weights in torchvision's order.
"""

from __future__ import annotations

from functools import partial

from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.initial import spread
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, close, dropped, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape

STEM, LAST = 32, 1280
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, layers and stride (the paper's table 2)."""
convolution = partial(Conv2dNormActivation, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6)


class MobileNetV2(Staged):
    """A stem, seven stages and a last 1x1 convolution."""

    def __init__(self, shape: Shape, *, channels: int, drop_path: float) -> None:
        super().__init__()
        width = shape.channels(STEM)
        self.stem = convolution(channels, width, kernel_size=kernel(shape.stem), stride=shape.stem)
        stages = [
            Stage(shape.channels(base), step, [partial(_block, expand=expand)] * shape.layers(layers))
            for expand, base, layers, step in STAGES
        ]
        inputs = lay(self, stages, shape, inputs=width, drop_path=drop_path)
        self.channels = shape.channels(LAST)
        close(self, convolution(inputs, self.channels, kernel_size=1))
        self.apply(spread)


def _block(inputs: int, outputs: int, stride: int, drop: float, *, expand: int) -> nn.Module:
    block = InvertedResidual(inputs, outputs, stride, expand)
    return dropped(block, block.conv, drop if block.use_res_connect else 0.0)


@register("mobilenet_v2")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """MobileNet v2 of a shape; depth is blocks a stage."""
    return MobileNetV2(shape, channels=channels, drop_path=model.drop_path)
