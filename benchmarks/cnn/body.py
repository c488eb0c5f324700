"""Three convolutions of one width, each of stride 2 and with batch norm: the net of `stock.fashion`."""

from __future__ import annotations

from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.scaling import Shape

WIDTH = 8
"""Channels at width 1."""


class Cnn(Body):
    """The layers up to the pooled vector."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.channels = width
        self.first = _conv(channels, width)
        self.second = _conv(width, width)
        self.third = _conv(width, width)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The map of each layer."""
        first = self.first(x)
        second = self.second(first)
        return {2: first, 4: second, 8: self.third(second)}

    def forward(self, x: Tensor) -> Tensor:
        """One vector for each image."""
        vector: Tensor = self.pool(self.third(self.second(self.first(x))))
        return vector


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


@register("cnn3")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """The net of a shape; depth means nothing to it."""
    del model
    return Cnn(shape.channels(WIDTH), channels)
