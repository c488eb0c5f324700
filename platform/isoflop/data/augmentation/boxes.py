"""Boxes, one in each image of a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """1 inside each image's box and 0 elsewhere (N, 1, H, W). `boxes` (4, N) are top, bottom, left and right."""
    top, bottom, left, right = boxes[:, :, None]
    y, x = torch.arange(height, device=boxes.device), torch.arange(width, device=boxes.device)
    rows, columns = (y >= top).logical_and_(y < bottom), (x >= left).logical_and_(x < right)
    found: Tensor = rows.float()[:, None, :, None] * columns.float()[:, None, None, :]
    return found
