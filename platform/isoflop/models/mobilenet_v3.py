"""MobileNet v3 (Howard et al. 2019, arXiv 1905.02244) of torchvision's inverted residuals.

With stem 2 at depth and width 1 a variant is the published net, its weights in torchvision's order. Inside a stage the
published blocks differ: with another depth they are repeated or left out evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.initial import spread
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, close, dropped, evenly, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape


class Row(NamedTuple):
    """Blocks of equal channels in the paper's tables 1 and 2."""

    kernel: int
    channels: int
    stride: int
    expanded: tuple[int, ...]
    """Channels inside of each block."""
    activation: str
    squeeze: bool = False
    """Whether the blocks have squeeze-and-excitation."""


STEM, LAST = 16, 6
"""Channels of the stem, and of the last convolution as a multiple of what comes in."""
VARIANTS: Mapping[str, tuple[int, tuple[Row, ...]]] = {
    "large": (
        1280,
        (
            Row(3, 16, 1, (16,), "RE"),
            Row(3, 24, 2, (64, 72), "RE"),
            Row(5, 40, 2, (72, 120, 120), "RE", squeeze=True),
            Row(3, 80, 2, (240, 200, 184, 184), "HS"),
            Row(3, 112, 1, (480, 672), "HS", squeeze=True),
            Row(5, 160, 2, (672, 960, 960), "HS", squeeze=True),
        ),
    ),
    "small": (
        1024,
        (
            Row(3, 16, 2, (16,), "RE", squeeze=True),
            Row(3, 24, 2, (72, 88), "RE"),
            Row(5, 40, 2, (96, 240, 240), "HS", squeeze=True),
            Row(5, 48, 1, (120, 144), "HS", squeeze=True),
            Row(5, 96, 2, (288, 576, 576), "HS", squeeze=True),
        ),
    ),
}
"""Channels of the dense layer, and the stages."""
# The published nets move batch statistics by 0.01 a step. Few images are few steps: ours move them by torch's 0.1.
norm = partial(nn.BatchNorm2d, eps=1e-3)
convolution = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)


class MobileNetV3(Staged):
    """A stem, stages of inverted residuals, a last 1x1 convolution, and a dense layer behind the mean."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        dense, rows = VARIANTS[variant]
        width = shape.channels(STEM)
        self.stem = convolution(channels, width, kernel_size=kernel(shape.stem), stride=shape.stem)
        inputs = lay(self, [_stage(row, shape) for row in rows], shape, inputs=width, drop_path=drop_path)
        close(self, convolution(inputs, LAST * inputs, kernel_size=1))
        self.channels = shape.channels(dense)
        self.dense = nn.Sequential(nn.Linear(LAST * inputs, self.channels), nn.Hardswish(inplace=True))
        self.apply(spread)

    def forward(self, x: Tensor) -> Tensor:
        """The vector after the dense layer."""
        vector: Tensor = self.dense(super().forward(x))
        return vector


class Exact(InvertedResidualConfig):  # type: ignore[misc]
    """A block's configuration with channels as they are: ours are rounded already, by the study's divisor."""

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """Channels times a multiplier, not rounded to multiples of 8."""
        return int(channels * width_mult)


def _stage(row: Row, shape: Shape) -> Stage:
    counts = evenly(row.expanded, shape.layers(len(row.expanded)))
    blocks = [partial(_block, row=row, expanded=shape.channels(count)) for count in counts]
    return Stage(shape.channels(row.channels), row.stride, blocks)


def _block(inputs: int, outputs: int, stride: int, drop: float, *, row: Row, expanded: int) -> nn.Module:
    config = Exact(inputs, row.kernel, expanded, outputs, row.squeeze, row.activation, stride, 1, 1.0)
    block = InvertedResidual(config, norm)
    return dropped(block, block.block, drop if block.use_res_connect else 0.0)


@register("mobilenet_v3")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """MobileNet v3 of a shape; depth is blocks a stage."""
    return MobileNetV3(shape, model.variant, channels=channels, drop_path=model.drop_path)
