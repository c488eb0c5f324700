"""VGG (Simonyan & Zisserman 2015, arXiv 1409.1556): stages of 3x3 convolutions, then two dense layers.

With stem 1 at depth and width 1 on 224 pixels a variant is the published net, its weights in torchvision's order; with
`norm: batch` each convolution is followed by batch norm, as in torchvision's vgg16_bn. What reaches the dense layers is
pooled to at most 7x7, so that small images do not pay for places they do not have. There are no residual paths that
`drop_path` could drop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.blocks.initialization import initialize
from isoflop.models.blocks.normalization import normalization
from isoflop.models.net import Body, Staged
from isoflop.models.plain import dense
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[int, ...]] = {
    "11": (1, 1, 2, 2, 2),
    "13": (2, 2, 2, 2, 2),
    "16": (2, 2, 3, 3, 3),
    "19": (2, 2, 4, 4, 4),
}
"""Convolutions of each stage (the paper's table 1: A, B, D, E)."""
WIDTHS = (64, 128, 256, 512, 512)
WIDTH = 4096
GRID = 7


class VGG(Staged):
    """Five stages that end in pooling, and two dense layers."""

    def __init__(self, shape: Shape, variant: str, *, channels: int, norm: str, dropout: float) -> None:
        super().__init__()
        side, stride, inputs = -(-shape.resolution // shape.stem), shape.stem, channels
        for place, step in enumerate(fitted((2,) * len(WIDTHS), side)):
            outputs, layers = shape.channels(WIDTHS[place]), shape.layers(VARIANTS[variant][place])
            first = shape.stem if place == 0 else 1
            self.stages.append(nn.Sequential(*_stage(inputs, outputs, layers, first, step, norm=norm)))
            inputs, stride, side = outputs, stride * step, -(-side // step)
            self.strides.append(stride)
        self.channels = shape.channels(WIDTH)
        self.dense = dense(inputs, min(GRID, side), self.channels, dropout=dropout)
        self.apply(self.initialize)

    def initialize(self, module: nn.Module) -> None:
        """He et al. 2015, biases zero."""
        initialize("he", module)

    def forward(self, x: Tensor) -> Tensor:
        """The vector after the second dense layer."""
        vector: Tensor = self.dense(self.last(x))
        return vector


def _stage(inputs: int, outputs: int, layers: int, first: int, step: int, *, norm: str) -> Iterator[nn.Module]:
    """Convolutions, the first with a stride of its own, and pooling."""
    for layer in range(layers):
        stride = first if layer == 0 else 1
        kernel = max(3, 2 * stride - 1)  # no pixel is left unseen
        yield nn.Conv2d(inputs if layer == 0 else outputs, outputs, kernel, stride, padding=kernel // 2)
        if norm != "none":
            yield normalization(norm, outputs)
        yield nn.ReLU(inplace=True)
    if step > 1:
        yield nn.MaxPool2d(step, ceil_mode=True)


@register("vgg")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """VGG of a shape; depth is convolutions a stage."""
    return VGG(shape, model.variant, channels=channels, norm=str(model.knob("norm")), dropout=model.dropout)
