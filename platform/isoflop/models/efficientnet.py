"""EfficientNet (Tan & Le 2019, arXiv 1905.11946) of torchvision's MBConv blocks with squeeze-and-excitation.

With stem 2 at depth and width 1 it is EfficientNet-B0, its weights in torchvision's order.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models.efficientnet import MBConv, MBConvConfig
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape


class Stage(NamedTuple):
    """A row of the paper's table 1."""

    expand: int
    kernel: int
    stride: int
    channels: int
    layers: int


STEM, LAST = 32, 1280
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


class EfficientNet(Body):
    """A stem, seven stages of MBConv blocks and a last 1x1 convolution."""

    def __init__(self, shape: Shape, *, channels: int, drop_path: float) -> None:
        super().__init__()
        width, stride = shape.channels(STEM), shape.stem
        self.strides = [stride]
        # Up to stride 2 the paper's kernel; at stride 4, ResNet's 7x7, so that no pixel is left unseen.
        parts: list[nn.Module] = [convolution(channels, width, kernel_size=max(3, 2 * stride - 1), stride=stride)]
        total, done = sum(shape.layers(stage.layers) for stage in STAGES), 0
        steps = fitted((stage.stride for stage in STAGES), -(-shape.resolution // stride))
        for stage, step in zip(STAGES, steps, strict=True):
            outputs, layers = shape.channels(stage.channels), shape.layers(stage.layers)
            drops = [drop_path * (done + k) / total for k in range(layers)]
            parts.append(_stage(stage, width, outputs, step, drops))
            width, stride, done = outputs, stride * step, done + layers
            self.strides.append(stride)
        self.channels = shape.channels(LAST)
        parts.append(convolution(width, self.channels, kernel_size=1))
        self.strides.append(stride)
        self.stages = nn.Sequential(*parts)
        self.apply(_initialize)

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The last map of each stride."""
        maps: dict[int, Tensor] = {}
        for stride, stage in zip(self.strides, self.stages, strict=True):
            x = stage(x)
            maps[stride] = x
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """The last map, averaged over its place."""
        last: Tensor = self.stages(x)
        return last.mean((2, 3))


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
    return EfficientNet(shape, channels=channels, drop_path=model.drop_path)
