"""Inception v4 (Szegedy et al. 2017, arXiv 1602.07261), as timm has it.

With stem 8 at depth and width 1 on 299 pixels it is timm's net. Smaller stems leave out strides of its own from the
last to the first, and pad everything. There are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from isoflop.config import ModelConfig
from isoflop.models.inception.body import Inception
from isoflop.models.inception.part import Conv, Fork, Part, Pool
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.scaling import Shape

LAYERS = (4, 7, 3)
"""Modules of each stage (the paper's figure 9)."""
AVERAGE = Pool(partial(nn.AvgPool2d, count_include_pad=False))
MAXIMUM = Pool(tight=True)
STEM: tuple[tuple[Part, ...], ...] = (
    (Conv(32, 3, tight=True), Conv(32, 3, tight=True), Conv(64, 3)),
    (
        Fork([MAXIMUM], [Conv(96, 3, tight=True)]),
        Fork(
            [Conv(64), Conv(96, 3, tight=True)],
            [Conv(64), Conv(64, (1, 7)), Conv(64, (7, 1)), Conv(96, 3, tight=True)],
        ),
    ),
    (Fork([Conv(192, 3, tight=True)], [MAXIMUM]),),
)
"""The paper's figure 3."""
MODULES = (
    Fork(
        [Conv(96)],
        [Conv(64), Conv(96, 3)],
        [Conv(64), Conv(96, 3), Conv(96, 3)],
        [AVERAGE, Conv(96)],
    ),
    Fork(
        [Conv(384)],
        [Conv(192), Conv(224, (1, 7)), Conv(256, (7, 1))],
        [Conv(192), Conv(192, (7, 1)), Conv(224, (1, 7)), Conv(224, (7, 1)), Conv(256, (1, 7))],
        [AVERAGE, Conv(128)],
    ),
    Fork(
        [Conv(256)],
        [Conv(384), Fork([Conv(256, (1, 3))], [Conv(256, (3, 1))])],
        [Conv(384), Conv(448, (3, 1)), Conv(512, (1, 3)), Fork([Conv(256, (1, 3))], [Conv(256, (3, 1))])],
        [AVERAGE, Conv(256)],
    ),
)
"""One for each stage (the paper's figures 4 to 6)."""
SHRUNK = (
    Fork([Conv(384, 3, tight=True)], [Conv(192), Conv(224, 3), Conv(256, 3, tight=True)], [MAXIMUM]),
    Fork(
        [Conv(192), Conv(192, 3, tight=True)],
        [Conv(256), Conv(256, (1, 7)), Conv(320, (7, 1)), Conv(320, 3, tight=True)],
        [MAXIMUM],
    ),
)
"""What comes before the second and the third stage (the paper's figures 7 and 8)."""


@register("inception_v4")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Inception v4 of a shape; depth is modules a stage."""
    del model
    first, second, third = ([module] * shape.layers(layers) for module, layers in zip(MODULES, LAYERS, strict=True))
    stages: list[list[Part]] = [[*first], [SHRUNK[0], *second], [SHRUNK[1], *third]]
    return Inception(shape, STEM, stages, channels=channels)
