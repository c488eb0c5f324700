"""All changes of a configuration, in their order."""

from __future__ import annotations

import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.colour import jitter
from isoflop.data.augmentation.geometry import bend
from isoflop.data.augmentation.policy import follow
from isoflop.data.augmentation.shift import shift


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Change a uint8 batch (N, C, H, W), each image by its own draws: all but erasing and mixing.

    The draws come from a CPU generator, so they are equal on every device.
    """
    images = shift(images, config, generator)
    images = bend(images, config, generator)
    images = follow(images, config, generator)
    return jitter(images, config, generator)
