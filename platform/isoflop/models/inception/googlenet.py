"""GoogLeNet, or Inception v1 (Szegedy et al. 2015, arXiv 1409.4842), with batch norm, as torchvision has it.

With stem 8 at depth and width 1 on 224 pixels it is torchvision's net: its third branch is of 3x3 convolutions, not
5x5, as in the authors' later code. Smaller stems leave out the stem's pooling, then the stride of its convolution. Two
auxiliary heads help in training (section 5 of the paper), unless `auxiliary` is false. There are no residual paths that
`drop_path` could drop.
"""

from __future__ import annotations

from typing import TypeAlias

from torch import nn

from isoflop.config import ModelConfig
from isoflop.models.inception.body import Inception
from isoflop.models.inception.part import CeilPool, Conv, Fork, Map, Part, Pool, convolution, stretched
from isoflop.models.inception.stem import pooled
from isoflop.models.net import Body, Branch
from isoflop.models.registry import register
from isoflop.scaling import Shape

Widths: TypeAlias = tuple[int, int, int, int, int, int]
STAGES: tuple[tuple[Widths, ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Channels of each module's convolutions (the paper's table 1)."""
HEADS = (1, 4)
"""Modules of the second stage that lie below each auxiliary head, of five."""
HELP = 0.3
"""Weight of an auxiliary loss."""
GRID = 4
DROPPED = 0.7


class GoogLeNet(Inception):
    """A stem, nine modules in three stages, and auxiliary branches."""

    def __init__(self, shape: Shape, *, channels: int, auxiliary: bool) -> None:
        first, second, third = (stretched(stage, shape.layers(len(stage))) for stage in STAGES)
        stages: list[list[Part]] = [
            [_module(widths) for widths in first],
            [CeilPool(), *(_module(widths) for widths in second)],
            [CeilPool(2), *(_module(widths) for widths in third)],
        ]
        super().__init__(shape, pooled(shape), stages, channels=channels)
        if auxiliary:
            places = [len(first) - (-head * len(second) // 5) for head in HEADS]
            self.auxiliary.extend(_branch(shape, place, self.seen[place]) for place in places)
        self.apply(_initialize)


def _module(widths: Widths) -> Fork:
    one, three_before, three, five_before, five, last = widths
    return Fork(
        [Conv(one)],
        [Conv(three_before), Conv(three, 3)],
        [Conv(five_before), Conv(five, 3)],
        [Pool(), Conv(last)],
    )


def _branch(shape: Shape, stage: int, below: Map) -> Branch:
    """What torchvision puts before the last layer of an auxiliary head."""
    grid, width, dense = min(GRID, below.side), shape.channels(128), shape.channels(1024)
    layers = (
        nn.AdaptiveAvgPool2d(grid),
        convolution(below.channels, width, kernel_size=1),
        nn.Flatten(),
        nn.Linear(width * grid * grid, dense),
        nn.ReLU(inplace=True),
        nn.Dropout(DROPPED),
    )
    return Branch(*layers, stage=stage, weight=HELP, channels=dense)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.01)


@register("googlenet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """GoogLeNet of a shape; depth is modules a stage."""
    return GoogLeNet(shape, channels=channels, auxiliary=model.knob("auxiliary") is True)
