"""A family's nets as a formula counts them: rounded as families round, without torch."""

from __future__ import annotations

import math

from isoflop.config import ModelConfig
from isoflop.scaling import Extent, Shape

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Blocks and channels."""


def count(model: ModelConfig) -> Extent:
    """Two convolutions a block, as in ResNet-34 on images stored with 32 pixels."""
    shape = Shape.of(model, 32)
    flops = 0.0
    for place, (blocks, channels) in enumerate(STAGES):
        side = max(2, shape.resolution / shape.stem / 2**place)
        flops += 2 * shape.layers(blocks) * shape.channels(channels) ** 2 * side**2 * 9
    return Extent(
        depth=1 + 2 * sum(shape.layers(blocks) for blocks, _ in STAGES),
        width=math.prod(shape.channels(channels) for _, channels in STAGES) ** (1 / len(STAGES)),
        resolution=shape.resolution,
        flops=flops,
    )


def model(**settings: float) -> ModelConfig:
    """A small base whose rounding is fine."""
    return ModelConfig.model_validate(
        {"family": "resnet", "depth": 0.5, "width": 0.25, "divisor": 1, "resolution": 32} | settings
    )
