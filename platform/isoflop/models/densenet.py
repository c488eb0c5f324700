"""DenseNet (Huang et al. 2017, arXiv 1608.06993) of timm's dense blocks.

With stem 4 at depth and width 1 a variant is the published net, its weights in torchvision's order; stem 1 is the stem
for small images (section 3 of the paper, CIFAR). Width scales the growth rate, depth the layers of each block. Maps are
set side by side, not added, so that there are no residual paths that `drop_path` could drop.
"""

from __future__ import annotations

from collections.abc import Mapping

from timm.layers import BatchNormAct2d
from timm.models.densenet import DenseBlock, DenseTransition
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

VARIANTS: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "121": (32, 64, (6, 12, 24, 16)),
    "161": (48, 96, (6, 12, 36, 24)),
    "169": (32, 64, (6, 12, 32, 32)),
    "201": (32, 64, (6, 12, 48, 32)),
}
"""Growth rate, channels of the stem, and layers of each block (the paper's table 1)."""
BOTTLENECK = 4
"""Channels of a layer's first convolution, in growth rates."""


class DenseNet(Staged):
    """A stem and four dense blocks with transitions between them."""

    def __init__(self, shape: Shape, variant: str, *, channels: int) -> None:
        super().__init__()
        base, stem, layers = VARIANTS[variant]
        growth, width = shape.channels(base), shape.channels(stem)
        self.stem = _stem(channels, width, shape.stem)
        stride = shape.stem
        steps = fitted((1, 2, 2, 2), -(-shape.resolution // shape.stem))
        for count, step in zip((shape.layers(count) for count in layers), steps, strict=True):
            parts: list[nn.Module] = []
            if self.strides:
                parts.append(_transition(width, width // 2, step))
                width //= 2
            parts.append(DenseBlock(count, width, BOTTLENECK, growth))
            width, stride = width + count * growth, stride * step
            self.stages.append(nn.Sequential(*parts))
            self.strides.append(stride)
        self.norm = BatchNormAct2d(width)
        self.channels = width
        self.apply(self.initialize)

    def initialize(self, module: nn.Module) -> None:
        """He et al. 2015."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The last map, normalized and pooled."""
        vector: Tensor = self.pool(self.norm(self.last(x)))
        return vector


def _stem(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    kernel, step = (7, 2) if stride > 1 else (3, 1)
    conv = nn.Conv2d(inputs, outputs, kernel, step, padding=kernel // 2, bias=False)
    pool = [nn.MaxPool2d(3, 2, padding=1)] if stride > 2 else []
    return nn.Sequential(conv, BatchNormAct2d(outputs), *pool)


def _transition(inputs: int, outputs: int, step: int) -> nn.Sequential:
    found: nn.Sequential = DenseTransition(inputs, outputs)
    found.pool = nn.AvgPool2d(step, ceil_mode=True) if step > 1 else nn.Identity()
    return found


@register("densenet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """DenseNet of a shape; depth is layers a block."""
    return DenseNet(shape, model.variant, channels=channels)
