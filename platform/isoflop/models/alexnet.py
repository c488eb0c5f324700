"""AlexNet (Krizhevsky et al. 2012): convolutions, local response normalization, overlapping pooling, dense layers.

`2012` is the paper's net: local response normalization after the first two stages, and groups where its two GPUs did
not see each other's maps. `2014` is the single-GPU net without either (Krizhevsky 2014, arXiv 1404.5997) that
torchvision has, its weights in torchvision's order. With stem 4 at depth and width 1 on 224 pixels a variant is the
published net: the first convolution pads by 2, pooling not at all. What reaches the dense layers is pooled to at most
6x6, so that small images do not pay for places they do not have.

Weights begin as VGG's do. Torchvision's, which are torch's own, shrink what passes: after 40 steps the loss on eight
small images was 0.8 to 1.0, with VGG's it was 0. The paper's deviation of 0.01 is made for the paper's widths. There
are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.families import family
from isoflop.models.blocks.initialization import initialize
from isoflop.models.net import Body, Staged
from isoflop.models.plain import dense
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape


class Conv(NamedTuple):
    """A convolution after the first."""

    channels: int
    kernel: int
    groups: int = 1


class Variant(NamedTuple):
    """A published net."""

    first: int
    """Channels of the first convolution."""
    second: tuple[Conv, ...]
    third: tuple[Conv, ...]
    normed: int = 0
    """Stages, from the first, that end in local response normalization."""


VARIANTS: Mapping[str, Variant] = {
    "2012": Variant(96, (Conv(256, 5, 2),), (Conv(384, 3), Conv(384, 3, 2), Conv(256, 3, 2)), normed=2),
    "2014": Variant(64, (Conv(192, 5),), (Conv(384, 3), Conv(256, 3), Conv(256, 3))),
}
EVEN = 2
"""Channels are multiples of it, so that the groups of two GPUs are equal."""
KERNELS = {1: 5, 2: 7, 4: 11}
"""Of the first convolution, by its stride: 5 in Krizhevsky's nets for 32 pixels (cuda-convnet), 7 in Zeiler & Fergus
2014 (arXiv 1311.2901, section 4.1), 11 in the paper."""
MARGIN = 2
"""What the published first convolution pads."""
WIDTH = 4096
GRID = 6


class AlexNet(Staged):
    """A first convolution, two stages of more with pooling before, between and after them, and two dense layers."""

    def __init__(self, shape: Shape, variant: Variant, *, channels: int, padded: bool, dropout: float) -> None:
        super().__init__()
        kernel, stride, inputs = KERNELS[shape.stem], shape.stem, _channels(shape, variant.first)
        around = kernel // 2 if padded else MARGIN
        side = _slid(shape.resolution, kernel, stride, around)
        parts: list[nn.Module] = [nn.Conv2d(channels, inputs, kernel, stride, around), nn.ReLU(inplace=True)]
        self._end(parts, stride, normed=variant.normed > 0)
        # Without padding a small map would be gone before it was too small to be shrunk.
        steps = fitted((2, 2, 2), side) if padded else (2, 2, 2)
        for place, (convs, step) in enumerate(zip((variant.second, variant.third, ()), steps, strict=True), 1):
            parts = []
            if step > 1:
                parts.append(nn.MaxPool2d(3, step, padding=int(padded)))
                side = _slid(side, 3, step, int(padded))
            for conv in convs:
                outputs = _channels(shape, conv.channels)
                parts += _repeated(conv, inputs, outputs, shape.layers(1))
                inputs = outputs
            stride *= step
            self._end(parts, stride, normed=variant.normed > place)
        self.channels = shape.channels(WIDTH)
        self.dense = dense(inputs, min(GRID, side), self.channels, dropout=dropout)
        self.apply(self.initialize)

    def initialize(self, module: nn.Module) -> None:
        """He et al. 2015, biases zero."""
        initialize("he", module)

    def _end(self, parts: list[nn.Module], stride: int, *, normed: bool) -> None:
        """Make a stage of its parts."""
        self.stages.append(nn.Sequential(*parts, *([_norm()] if normed else [])))
        self.strides.append(stride)

    def forward(self, x: Tensor) -> Tensor:
        """The vector after the second dense layer."""
        vector: Tensor = self.dense(self.last(x))
        return vector


def _channels(shape: Shape, base: int) -> int:
    return shape.channels(base, math.lcm(EVEN, shape.divisor))


def _slid(side: int, kernel: int, stride: int, padding: int) -> int:
    """The side of a map after a window slid over it."""
    return (side + 2 * padding - kernel) // stride + 1


def _repeated(conv: Conv, inputs: int, outputs: int, layers: int) -> Iterator[nn.Module]:
    for layer in range(layers):
        into = inputs if layer == 0 else outputs
        yield nn.Conv2d(into, outputs, conv.kernel, padding=conv.kernel // 2, groups=conv.groups)
        yield nn.ReLU(inplace=True)


def _norm() -> nn.LocalResponseNorm:
    """The paper's section 3.3, where squares are summed: torch takes their mean over the `size` of 5."""
    return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)


@register("alexnet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """AlexNet of a shape; depth is convolutions for each published one after the first."""
    padded = shape.stem != family(model.family).published
    return AlexNet(shape, VARIANTS[model.variant], channels=channels, padded=padded, dropout=model.dropout)
