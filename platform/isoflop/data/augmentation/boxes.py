"""Boxes, one in each image of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Edges = npt.NDArray[np.float32]
"""Top, bottom, left and right of a box in each image (..., 4, N), in pixels; bottom and right are outside."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Which rows and columns of each image a box covers, on the images' device."""

    rows: Tensor
    """(N, H) bool."""
    columns: Tensor
    """(N, W) bool."""

    def inside(self) -> Tensor:
        """Which pixels a box covers (N, 1, H, W)."""
        return self.rows[:, None, :, None].logical_and(self.columns[:, None, None, :])

    def take(self, places: slice) -> Boxes:
        """Those of some images."""
        return Boxes(self.rows[places], self.columns[places])


def covered(edges: Edges, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Which rows (..., N, H) and columns (..., N, W) boxes cover."""
    places = np.arange(max(height, width), dtype=np.float32)
    low, high = edges[..., 0::2, :, None], edges[..., 1::2, :, None]
    found = torch.from_numpy((places >= low) & (places < high))
    return found[..., 0, :, :height].contiguous(), found[..., 1, :, :width].contiguous()
