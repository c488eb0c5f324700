"""Moving whole pixels: nothing is interpolated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """A window of the images' own size out of each image padded with zeros (N, C, H, W)."""
    count, _, height, width = images.shape
    top, left = torch.randint(0, 2 * padding + 1, (2, count), generator=generator).to(images.device)
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    padded = pad(images, (padding, padding, padding, padding))
    batch = torch.arange(count, device=images.device)[:, None, None]
    # Advanced indices around a slice put the sliced axis last: (N, H, W, C).
    return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability one half (N, C, H, W)."""
    chosen = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(chosen[:, None, None, None], images.flip(3), images)
