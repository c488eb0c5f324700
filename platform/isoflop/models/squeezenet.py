"""SqueezeNet (Iandola et al. 2016, arXiv 1602.07360) of torchvision's fire modules.

With stem 4 at depth and width 1 a variant is the published net, its weights in torchvision's order; it pads nowhere
between its stages. Its head decides at every place and takes the mean of what was decided. There are no residual paths
that `drop_path` could drop.

The classes' biases begin at 1 instead of torchvision's 0. A class that is below 0 at every place of every image learns
nothing through the last ReLU; with 0, of ten classes on small images two began so and five were so after 20 steps. The
softmax does not see what all classes have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from isoflop.config import ModelConfig
from isoflop.families import family
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

Stage = Sequence[tuple[int, int]]
"""Fire modules alike and what each of their two expansions gives, one kind after another."""


class Variant(NamedTuple):
    """A published net."""

    channels: int
    kernel: int
    stages: tuple[Stage, ...]


VARIANTS: Mapping[str, Variant] = {
    "1.1": Variant(64, 3, (((2, 64),), ((2, 128),), ((2, 192), (2, 256)))),
    "1.0": Variant(96, 7, (((2, 64), (1, 128)), ((1, 128), (2, 192), (1, 256)), ((1, 256),))),
}
"""The paper's table 1, and the authors' later net of fewer FLOPs."""
SQUEEZE = 4
"""Channels of an expansion for each that it was squeezed to."""


class SqueezeNet(Staged):
    """A stem and three stages of fire modules with pooling between them."""

    def __init__(self, shape: Shape, variant: Variant, *, channels: int, padded: bool) -> None:
        super().__init__()
        inputs, stride = shape.channels(variant.channels), shape.stem
        self.stem = _stem(channels, inputs, variant.kernel, stride, padded=padded)
        # Without padding a small map would be gone before it was too small to be shrunk.
        steps = fitted((1, 2, 2), -(-shape.resolution // stride)) if padded else (1, 2, 2)
        for kinds, step in zip(variant.stages, steps, strict=True):
            parts = nn.Sequential(_pool(padded=padded) if step > 1 else nn.Identity())
            for count, base in kinds:
                expanded, squeezed = shape.channels(base), shape.channels(base // SQUEEZE)
                for _ in range(shape.layers(count)):
                    parts.append(Fire(inputs, squeezed, expanded, expanded))
                    inputs = 2 * expanded
            self.stages.append(parts)
            stride *= step
            self.strides.append(stride)
        self.channels = inputs
        self.apply(_initialize)

    def head(self, classes: int, dropout: float) -> nn.Module:
        """Logits at every place, and their mean."""
        last = nn.Conv2d(self.channels, classes, 1)
        nn.init.normal_(last.weight, std=0.01)
        assert last.bias is not None
        nn.init.ones_(last.bias)
        pool = nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(inplace=True), pool, nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """The last map."""
        return self.last(x)


def _stem(inputs: int, outputs: int, kernel: int, stride: int, *, padded: bool) -> nn.Sequential:
    used, step = (kernel, 2) if stride > 1 else (3, 1)
    conv = nn.Conv2d(inputs, outputs, used, step, padding=used // 2 if padded else 0)
    pool = [_pool(padded=padded)] if stride > 2 else []
    return nn.Sequential(conv, nn.ReLU(inplace=True), *pool)


def _pool(*, padded: bool) -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, padding=1) if padded else nn.MaxPool2d(3, 2, ceil_mode=True)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)


@register("squeezenet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """SqueezeNet of a shape; depth is fire modules a stage."""
    padded = shape.stem != family(model.family).published
    return SqueezeNet(shape, VARIANTS[model.variant], channels=channels, padded=padded)
