"""Inception v2, or BN-Inception (Ioffe & Szegedy 2015, arXiv 1502.03167).

GoogLeNet's modules with two 3x3 convolutions for each 5x5, batch norm, and modules with a stride between the stages
(the paper's figure 5). With stem 8 at depth and width 1 on 224 pixels it is the net of that table, but for its first
convolution, which is not separable, as in its public versions. They have 11,295,240 parameters for 1,000 classes: ours
and the 10,016 biases of convolutions, which batch norm takes away. Smaller stems leave out the stem's pooling, then the
stride of its convolution. There are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

from typing import TypeAlias

from torch import nn

from isoflop.config import ModelConfig
from isoflop.models.inception.body import Inception
from isoflop.models.inception.part import Conv, Fork, Part, Pool, stretched
from isoflop.models.inception.stem import pooled
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.scaling import Shape

AVERAGE, MAXIMUM = Pool(nn.AvgPool2d), Pool()
Row: TypeAlias = tuple[int, int, int, int, int, Pool, int]
STAGES: tuple[tuple[Row, ...], ...] = (
    ((64, 64, 64, 64, 96, AVERAGE, 32), (64, 64, 96, 64, 96, AVERAGE, 64)),
    (
        (224, 64, 96, 96, 128, AVERAGE, 128),
        (192, 96, 128, 96, 128, AVERAGE, 128),
        (160, 128, 160, 128, 160, AVERAGE, 128),
        (96, 128, 192, 160, 192, AVERAGE, 128),
    ),
    ((352, 192, 320, 160, 224, AVERAGE, 128), (352, 192, 320, 192, 224, MAXIMUM, 128)),
)
"""Channels of each module's convolutions, with its pooling (the paper's figure 5)."""
SHRUNK = (
    Fork([Conv(128), Conv(160, 3)], [Conv(64), Conv(96, 3), Conv(96, 3)], [MAXIMUM]),
    Fork([Conv(128), Conv(192, 3)], [Conv(192), Conv(256, 3), Conv(256, 3)], [MAXIMUM]),
)
"""The modules 3c and 4e, which have a stride."""


def _module(row: Row) -> Fork:
    one, three_before, three, double_before, double, pool, last = row
    return Fork(
        [Conv(one)],
        [Conv(three_before), Conv(three, 3)],
        [Conv(double_before), Conv(double, 3), Conv(double, 3)],
        [pool, Conv(last)],
    )


@register("inception_v2")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Inception v2 of a shape; depth is modules a stage."""
    del model
    first, second, third = ([_module(row) for row in stretched(stage, shape.layers(len(stage)))] for stage in STAGES)
    stages: list[list[Part]] = [[*first], [SHRUNK[0], *second], [SHRUNK[1], *third]]
    return Inception(shape, pooled(shape), stages, channels=channels)
