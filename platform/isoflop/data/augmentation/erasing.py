"""Random erasing (Zhong et al. 2020, arXiv:1708.04896)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isoflop.data.augmentation.boxes import inside

LEAST_AREA = 0.02
ASPECT = 10 / 3
"""Largest ratio of a box's sides to each other, relative to the image's."""


def erased(shape: torch.Size, chance: float, most: float, generator: torch.Generator) -> Tensor:
    """Boxes to erase in a batch of a shape (4, N): top, bottom, left and right; empty where nothing is to be erased.

    Areas are uniform from 2 % to `most` of the image, ratios of the sides uniform in their logarithm. Of a side that
    would be longer than the image, the image's is taken.
    """
    count, _, height, width = shape
    chosen, area, ratio, down, across = torch.rand((5, count), generator=generator)
    area = area * (most - LEAST_AREA) + LEAST_AREA
    stretch = torch.exp((ratio - 0.5) * math.log(ASPECT))  # the square root of a ratio between 1/ASPECT and ASPECT
    root = area.sqrt() * (chosen < chance)
    tall = (root * stretch * height).round().clamp_(max=height)
    wide = (root / stretch * width).round().clamp_(max=width)
    top, left = (down * (height - tall + 1)).floor(), (across * (width - wide + 1)).floor()
    return torch.stack((top, top + tall, left, left + wide))


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Zero in each image's box, in place: black, or the mean colour of images that are normalized (N, C, H, W)."""
    outside = 1 - inside(boxes.to(images.device), *images.shape[2:])
    return images.mul_(outside if images.is_floating_point() else outside.to(images.dtype))
