"""Inception v3 (Szegedy et al. 2016, arXiv 1512.00567), as torchvision has it.

With stem 8 at depth and width 1 on 299 pixels it is torchvision's net. Smaller stems leave out strides of its own from
the last to the first, and pad everything. An auxiliary head helps in training (section 4 of the paper), unless
`auxiliary` is false. There are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.inception.body import Inception
from isoflop.models.inception.part import Conv, Fork, Map, Part, Pool, convolution, stretched
from isoflop.models.inception.stem import TIGHT
from isoflop.models.net import Body, Branch
from isoflop.models.registry import register
from isoflop.scaling import Shape

POOLED = (32, 64, 64)
"""Channels of the pooling branch of the first stage's modules."""
SEVENS = (128, 160, 160, 192)
"""Channels inside the second stage's modules."""
LAST = 2
"""Modules of the third stage."""
AVERAGE = Pool(nn.AvgPool2d)
HELP = 0.4
"""Weight of the auxiliary loss."""
GRID = 5


class InceptionV3(Inception):
    """A stem, eleven modules in three stages, and an auxiliary branch."""

    def __init__(self, shape: Shape, *, channels: int, auxiliary: bool) -> None:
        first = [_fives(pooled) for pooled in stretched(POOLED, shape.layers(len(POOLED)))]
        second: list[Part] = [SHRUNK, *(_sevens(inner) for inner in stretched(SEVENS, shape.layers(len(SEVENS))))]
        third: list[Part] = [SHRUNK_AGAIN, *[WIDE] * shape.layers(LAST)]
        super().__init__(shape, TIGHT, (first, second, third), channels=channels)
        if auxiliary:
            place = len(first) + len(second) - 1
            self.auxiliary.append(_branch(shape, place, self.seen[place]))
        self.apply(_initialize)
        for branch in self.auxiliary:
            branch.apply(partial(_initialize, deviation=0.01))


def _fives(pooled: int) -> Fork:
    """The paper's figure 5, with a 5x5 convolution left in one branch."""
    return Fork(
        [Conv(64)],
        [Conv(48), Conv(64, 5)],
        [Conv(64), Conv(96, 3), Conv(96, 3)],
        [AVERAGE, Conv(pooled)],
    )


def _sevens(inner: int) -> Fork:
    """The paper's figure 6: 7x7 convolutions as pairs of 1x7 and 7x1."""
    row, column = Conv(inner, (1, 7)), Conv(inner, (7, 1))
    return Fork(
        [Conv(192)],
        [Conv(inner), row, Conv(192, (7, 1))],
        [Conv(inner), column, row, column, Conv(192, (1, 7))],
        [AVERAGE, Conv(192)],
    )


SHRUNK = Fork(
    [Conv(384, 3, tight=True)],
    [Conv(64), Conv(96, 3), Conv(96, 3, tight=True)],
    [Pool(tight=True)],
)
"""What comes before the second stage (the paper's figure 10)."""
SHRUNK_AGAIN = Fork(
    [Conv(192), Conv(320, 3, tight=True)],
    [Conv(192), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, tight=True)],
    [Pool(tight=True)],
)
"""What comes before the third."""
CROSS = Fork([Conv(384, (1, 3))], [Conv(384, (3, 1))])
WIDE = Fork(
    [Conv(320)],
    [Conv(384), CROSS],
    [Conv(448), Conv(384, 3), CROSS],
    [AVERAGE, Conv(192)],
)
"""A module of the third stage (the paper's figure 7)."""


class Norm(nn.BatchNorm2d):
    """Batch norm that takes a single value a channel too: it then norms by the statistics that it has."""

    def forward(self, x: Tensor) -> Tensor:
        """The normalized map."""
        if x.numel() > x.shape[1]:
            return super().forward(x)
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def _branch(shape: Shape, stage: int, below: Map) -> Branch:
    """What torchvision puts before the last layer of the auxiliary head; small maps are pooled to at most 5x5."""
    width, dense = shape.channels(128), shape.channels(768)
    grid = min(GRID, below.side)
    least = 3 * GRID + 2  # a side below which the published pooling leaves less than 5x5
    layers = (
        nn.AvgPool2d(5, 3) if below.side >= least else nn.AdaptiveAvgPool2d(grid),
        convolution(below.channels, width, kernel_size=1),
        convolution(width, dense, kernel_size=grid, padding=0, norm_layer=partial(Norm, eps=1e-3)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Branch(*layers, stage=stage, weight=HELP, channels=dense)


def _initialize(module: nn.Module, deviation: float = 0.1) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=deviation)


@register("inception_v3")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Inception v3 of a shape; depth is modules a stage."""
    return InceptionV3(shape, channels=channels, auxiliary=model.knob("auxiliary") is True)
