"""MobileNet v2 (Sandler et al. 2018, arXiv 1801.04381) of torchvision's inverted residuals.

With stem 2 at depth and width 1 it is the published net, its weights in torchvision's order. Its blocks drop no paths.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape


class Stage(NamedTuple):
    """A row of the paper's table 2."""

    expand: int
    channels: int
    layers: int
    stride: int


STEM, LAST = 32, 1280
STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
convolution = partial(Conv2dNormActivation, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6)


class MobileNetV2(Staged):
    """A stem, seven stages and a last 1x1 convolution."""

    def __init__(self, shape: Shape, *, channels: int) -> None:
        super().__init__()
        inputs, stride = shape.channels(STEM), shape.stem
        self.stem = convolution(channels, inputs, kernel_size=max(3, 2 * stride - 1), stride=stride)
        steps = fitted((stage.stride for stage in STAGES), -(-shape.resolution // stride))
        for stage, step in zip(STAGES, steps, strict=True):
            outputs, blocks = shape.channels(stage.channels), nn.Sequential()
            for place in range(shape.layers(stage.layers)):
                blocks.append(InvertedResidual(inputs, outputs, 1 if place else step, stage.expand))
                inputs = outputs
            self.stages.append(blocks)
            stride *= step
            self.strides.append(stride)
        self.channels = shape.channels(LAST)
        self.stages.append(convolution(inputs, self.channels, kernel_size=1))
        self.strides.append(stride)


@register("mobilenet_v2")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """MobileNet v2 of a shape; depth is blocks a stage."""
    del model
    return MobileNetV2(shape, channels=channels)
