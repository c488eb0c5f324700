"""Random erasing (Zhong et al. 2020, arXiv:1708.04896)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from isoflop.data.augmentation.boxes import Boxes, Edges, covered

LEAST_AREA = 0.02
ASPECT = 10 / 3
"""Largest ratio of a box's sides to each other, relative to the image's."""


@dataclass(frozen=True, slots=True)
class Erasing:
    """Boxes to erase in the batches of several steps: which images are hit, and where."""

    steps: list[tuple[Tensor, Boxes]]

    @classmethod
    def of(cls, edges: Edges, shape: torch.Size, device: torch.device) -> Self:
        """Of boxes (steps, 4, N) in batches of a shape, those that are empty hitting nothing."""
        hits = edges[:, 1] > edges[:, 0]
        rows, columns = covered(edges.transpose(1, 0, 2)[:, hits], *shape[2:])
        sizes = hits.sum(1).tolist()
        places = torch.from_numpy(hits.nonzero()[1])
        parts = zip(*(torch.split(whole.to(device), sizes) for whole in (places, rows, columns)), strict=True)
        return cls([(place, Boxes(high, wide)) for place, high, wide in parts])

    def erase(self, place: int, images: Tensor, colour: Tensor) -> Tensor:
        """Paint the boxes of a step's images (N, C, H, W), in place, with one colour (C, 1, 1)."""
        hit, boxes = self.steps[place]
        return images.index_copy_(0, hit, torch.where(boxes.inside(), colour, images.index_select(0, hit)))


def erased(steps: int, shape: torch.Size, chance: float, most: float, numbers: np.random.Generator) -> Edges:
    """Boxes to erase in batches of a shape (steps, 4, N); empty ones where nothing is to be erased.

    Areas are uniform from 2 % to `most` of the image, ratios of the sides uniform in their logarithm. Of a side that
    would be longer than the image, the image's is taken.
    """
    count, _, height, width = shape
    chosen, area, ratio, down, across = numbers.random((5, steps, count), dtype=np.float32)
    root = np.sqrt(area * (most - LEAST_AREA) + LEAST_AREA) * (chosen < chance)
    stretch = np.exp((ratio - 0.5) * math.log(ASPECT))  # the square root of a ratio between 1/ASPECT and ASPECT
    tall = np.minimum(np.rint(root * stretch * height), height)
    wide = np.minimum(np.rint(root / stretch * width), width)
    empty = (tall == 0) | (wide == 0)
    top, left = np.floor(down * (height - tall + 1)), np.floor(across * (width - wide + 1))
    return np.stack((top, np.where(empty, top, top + tall), left, left + wide), 1).astype(np.float32)
