"""All changes of a configuration, in their order."""

from __future__ import annotations

import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.shift import crop, flip


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Crop and flip a uint8 batch (N, C, H, W), each image by its own draw.

    The draws come from a CPU generator, so they are equal on every device.
    """
    if config.crop:
        images = crop(images, config.crop, generator)
    if config.flip:
        images = flip(images, generator)
    return images
