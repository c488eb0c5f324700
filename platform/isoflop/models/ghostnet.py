"""GhostNet (Han et al. 2020, arXiv 1911.11907) of timm's ghost bottlenecks.

With stem 2 at depth and width 1 a variant is the published net, its weights in timm's order. Inside a stage the
published blocks differ: with another depth they are repeated or left out evenly. Channels are even, as each ghost
module makes half of them of the other, and multiples of 4 at most, as the published ones are. Where a map must not
shrink, a bottleneck has no depthwise convolution between its ghost modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from timm.models.ghostnet import GhostBottleneck
from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stages import Stage, close, dropped, evenly, lay
from isoflop.models.stride import kernel
from isoflop.scaling import Shape, round_channels


class Inside(NamedTuple):
    """What a bottleneck has inside."""

    channels: int
    squeeze: float
    """Channels of its squeeze-and-excitation, as a share; 0 where it has none."""


class Row(NamedTuple):
    """Bottlenecks of equal channels in the paper's table 1."""

    kernel: int
    channels: int
    stride: int
    insides: tuple[Inside, ...]


def _insides(*channels: int, squeeze: float = 0.0) -> tuple[Inside, ...]:
    return tuple(Inside(count, squeeze) for count in channels)


STEM, LAST, DENSE = 16, 960, 1280
ROWS = (
    Row(3, 16, 1, _insides(16)),
    Row(3, 24, 2, _insides(48, 72)),
    Row(5, 40, 2, _insides(72, 120, squeeze=0.25)),
    Row(3, 80, 2, _insides(240, 200, 184, 184)),
    Row(3, 112, 1, _insides(480, 672, squeeze=0.25)),
    Row(5, 160, 2, (Inside(672, 0.25), *[Inside(960, 0.0), Inside(960, 0.25)] * 2)),
)
VARIANTS: Mapping[str, float] = {"x1.0": 1.0, "x0.5": 0.5, "x1.3": 1.3}
"""Width of the published nets."""
DIVISOR = 4


class GhostNet(Staged):
    """A stem, stages of ghost bottlenecks, a last 1x1 convolution, and a dense layer behind the mean."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, drop_path: float) -> None:
        super().__init__()
        divisor = max(2, min(DIVISOR, shape.divisor))

        def width(base: int) -> int:
            return shape.channels(round_channels(base * VARIANTS[variant], DIVISOR), divisor)

        self.stem = Conv2dNormActivation(channels, width(STEM), kernel_size=kernel(shape.stem), stride=shape.stem)
        stages = [_stage(row, shape, width) for row in ROWS]
        inputs = lay(self, stages, shape, inputs=width(STEM), drop_path=drop_path)
        close(self, Conv2dNormActivation(inputs, width(LAST), kernel_size=1))
        self.channels = shape.channels(DENSE)
        self.dense = nn.Sequential(nn.Conv2d(width(LAST), self.channels, 1), nn.ReLU(inplace=True), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """The vector after the dense layer."""
        vector: Tensor = self.dense(self.last(x).mean((2, 3), keepdim=True))
        return vector


def _stage(row: Row, shape: Shape, width: Callable[[int], int]) -> Stage:
    insides = evenly(row.insides, shape.layers(len(row.insides)))
    blocks = [
        partial(_block, size=row.kernel, inside=inside._replace(channels=width(inside.channels))) for inside in insides
    ]
    return Stage(width(row.channels), row.stride, blocks)


def _block(inputs: int, outputs: int, stride: int, drop: float, *, size: int, inside: Inside) -> nn.Module:
    block = GhostBottleneck(inputs, inside.channels, outputs, size, stride, se_ratio=inside.squeeze)
    block.ghost2 = nn.Sequential(block.ghost2)
    return dropped(block, block.ghost2, drop)


@register("ghostnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """GhostNet of a shape; depth is bottlenecks a stage."""
    return GhostNet(shape, model.variant, channels=channels, drop_path=model.drop_path)
