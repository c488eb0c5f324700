"""Inception-ResNet v2 (Szegedy et al. 2017, arXiv 1602.07261), as timm has it.

With stem 8 at depth and width 1 on 299 pixels it is timm's net. Smaller stems leave out strides of its own from the
last to the first, and pad everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from timm.layers import DropPath
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.inception.body import Inception
from isoflop.models.inception.part import Conv, Fork, Map, Part, Pool
from isoflop.models.inception.stem import TIGHT
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.scaling import Shape

LAYERS = (10, 20, 10)
"""Residual blocks of each stage (timm; the paper's figure 15 has half as many)."""
SCALES = (0.17, 0.1, 0.2)
"""What residuals of each stage are multiplied by (section 3.3 of the paper)."""
MAXIMUM = Pool(tight=True)
FIRST = Fork(
    [Conv(96)],
    [Conv(48), Conv(64, 5)],
    [Conv(64), Conv(96, 3), Conv(96, 3)],
    [Pool(partial(nn.AvgPool2d, count_include_pad=False)), Conv(64)],
)
"""What ends the stem."""
BLOCKS = (
    Fork([Conv(32)], [Conv(32), Conv(32, 3)], [Conv(32), Conv(48, 3), Conv(64, 3)]),
    Fork([Conv(192)], [Conv(128), Conv(160, (1, 7)), Conv(192, (7, 1))]),
    Fork([Conv(192)], [Conv(192), Conv(224, (1, 3)), Conv(256, (3, 1))]),
)
"""The branches of each stage's residuals (the paper's figures 16, 17 and 19)."""
SHRUNK = (
    Fork([Conv(384, 3, tight=True)], [Conv(256), Conv(256, 3), Conv(384, 3, tight=True)], [MAXIMUM]),
    Fork(
        [Conv(256), Conv(384, 3, tight=True)],
        [Conv(256), Conv(288, 3, tight=True)],
        [Conv(256), Conv(288, 3), Conv(320, 3, tight=True)],
        [MAXIMUM],
    ),
)
"""What comes before the second and the third stage (the paper's figures 7 and 18)."""
LAST = Conv(1536)


@dataclass(frozen=True, slots=True)
class Residual:
    """A block that adds to its map what branches make of it."""

    branches: Fork
    scale: float
    drop: float
    ends: bool = False
    """Whether it is the last, which is not scaled and has no ReLU."""

    def build(self, shape: Shape, below: Map, step: int = 1) -> tuple[nn.Module, Map]:
        """The block, which leaves the map's size as it is."""
        mixed, made = self.branches.build(shape, below, step)
        conv = nn.Conv2d(made.channels, below.channels, 1)
        scale, act = (1.0, nn.Identity()) if self.ends else (self.scale, nn.ReLU(inplace=True))
        return Block(nn.Sequential(mixed, conv), scale, self.drop, act), below


class Block(nn.Module):
    """A residual, scaled and sometimes dropped, beside the identity."""

    def __init__(self, residual: nn.Module, scale: float, drop: float, act: nn.Module) -> None:
        super().__init__()
        self.residual, self.scale, self.act = residual, scale, act
        self.drop_path = DropPath(drop) if drop else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same size."""
        found: Tensor = self.act(x + self.scale * self.drop_path(self.residual(x)))
        return found


def _stages(layers: Sequence[int], drop_path: float) -> Iterator[list[Part]]:
    """The residual blocks of each stage, dropped the more often the later they come."""
    last, done = sum(layers) - 1, 0
    for count, branches, scale in zip(layers, BLOCKS, SCALES, strict=True):
        places = range(done, done + count)
        yield [Residual(branches, scale, drop_path * place / last, ends=place == last) for place in places]
        done += count


@register("inception_resnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """Inception-ResNet of a shape; depth is blocks a stage."""
    first, second, third = _stages([shape.layers(count) for count in LAYERS], model.drop_path)
    stages = ([FIRST, *first], [SHRUNK[0], *second], [SHRUNK[1], *third, LAST])
    return Inception(shape, TIGHT, stages, channels=channels)
