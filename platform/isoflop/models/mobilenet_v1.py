"""MobileNet v1 (Howard et al. 2017, arXiv 1704.04861): depthwise separable convolutions.

With stem 2 at depth and width 1 it is the published net, its weights in timm's order. There are no residual paths that
`drop_path` could drop.
"""

from __future__ import annotations

from functools import partial

from torch import nn
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.initial import spread_by_group
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape

STEM = 32
STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))
"""Channels, layers and stride (the paper's table 1)."""
convolution = partial(Conv2dNormActivation, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6)


class MobileNetV1(Staged):
    """A stem and five stages."""

    def __init__(self, shape: Shape, *, channels: int) -> None:
        super().__init__()
        width = shape.channels(STEM)
        self.stem = convolution(channels, width, kernel_size=kernel(shape.stem), stride=shape.stem)
        stages = [Stage(shape.channels(base), step, [_block] * shape.layers(layers)) for base, layers, step in STAGES]
        self.channels = lay(self, stages, shape, inputs=width)
        self.apply(spread_by_group)


def _block(inputs: int, outputs: int, stride: int, _: float) -> nn.Module:
    depthwise = convolution(inputs, inputs, kernel_size=3, stride=stride, groups=inputs)
    return nn.Sequential(depthwise, convolution(inputs, outputs, kernel_size=1))


@register("mobilenet_v1")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """MobileNet v1 of a shape; depth is separable convolutions a stage."""
    del model
    return MobileNetV1(shape, channels=channels)
