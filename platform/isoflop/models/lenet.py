"""LeNet-5 (LeCun et al. 1998): two stages of 5x5 convolutions, tanh and average pooling, then two dense layers.

Convolutions are padded, so that images of 8 pixels pass, and what reaches the dense layers is pooled to at most 5x5.
At 28 and 32 pixels with one channel and ten classes it has the paper's layers and, fully connected, 61,706 weights.
Without residual paths there is nothing that `drop_path` could drop, and widths are even, whatever the divisor.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body
from isoflop.models.registry import register
from isoflop.scaling import Shape

GRID = 5
DIVISOR = 2
"""LeNet's widths are no multiples of 8."""


class LeNet(Body):
    """Stages of convolutions and pooling, and the dense layers that the paper calls C5 and F6."""

    def __init__(self, shape: Shape, channels: int) -> None:
        super().__init__()
        widths = [shape.channels(base, DIVISOR) for base in (6, 16, 120, 84)]
        self.stem = shape.stem
        self.stage1 = _stage(channels, widths[0], shape.layers(1), shape.stem)
        self.stage2 = _stage(widths[0], widths[1], shape.layers(1), 1)
        grid = min(GRID, max(1, shape.resolution // (4 * shape.stem)))
        self.dense = nn.Sequential(
            nn.AdaptiveAvgPool2d(grid),
            nn.Flatten(),
            nn.Linear(widths[1] * grid * grid, widths[2]),
            nn.Tanh(),
            nn.Linear(widths[2], widths[3]),
            nn.Tanh(),
        )
        self.channels = widths[3]

    def units(self) -> Sequence[nn.Module]:
        """The stages of convolutions; the dense layers stand behind them."""
        return [self.stage1, self.stage2]

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The maps after both stages."""
        first = self.stage1(x)
        return {2 * self.stem: first, 4 * self.stem: self.stage2(first)}

    def forward(self, x: Tensor) -> Tensor:
        """The vector after F6."""
        vector: Tensor = self.dense(self.stage2(self.stage1(x)))
        return vector


def _stage(inputs: int, outputs: int, layers: int, stride: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for layer in range(layers):
        first = layer == 0
        parts += [nn.Conv2d(inputs if first else outputs, outputs, 5, stride if first else 1, padding=2), nn.Tanh()]
    return nn.Sequential(*parts, nn.AvgPool2d(2, ceil_mode=True))


@register("lenet")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """LeNet-5 of a shape; depth is convolutions a stage."""
    del model
    return LeNet(shape, channels)
