"""Moving whole pixels: nothing is interpolated. Crop and both flips are one gather of rows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.draws import chance


def shift(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Crop and flip a batch (N, C, H, W) as the configuration asks, each image by its own draw."""
    count, padding = len(images), config.crop
    corners = torch.randint(0, 2 * padding + 1, (2, count), generator=generator) if padding else None
    mirrored = chance(count, 0.5, generator) if config.flip else None
    upended = chance(count, 0.5, generator) if config.flip_vertical else None
    found = moved(images, padding, corners, mirrored, upended)
    # Where there is one channel its stride tells nothing, yet by it torch chooses the layout that a convolution
    # computes in: cropped images say channels last.
    if corners is None or found.shape[1] > 1:
        return found
    height, width = found.shape[2:]
    return found.as_strided(found.shape, (height * width, 1, width, 1))


def moved(
    images: Tensor, padding: int, corners: Tensor | None, mirrored: Tensor | None, upended: Tensor | None
) -> Tensor:
    """Windows of the images' own size out of the images padded with zeros (N, C, H, W), mirrored where so drawn.

    `corners` (2, N) are the tops and lefts of the windows, `mirrored` and `upended` (N,) which of them are flipped
    left to right and top to bottom. All rows of all windows are gathered at once out of a view that has a row at every
    pixel, overlapping: copying rows takes a thirtieth of what gathering pixels takes.
    """
    if corners is None and mirrored is None and upended is None:
        return images
    count, channels, height, width = images.shape
    tops, lefts = torch.zeros(2, count, dtype=torch.int64) if corners is None else corners
    lines = torch.arange(height).expand(count, height)
    if upended is not None:
        lines = torch.where(upended[:, None], height - 1 - lines, lines)
    planes = torch.arange(count)
    padded = pad(images, (padding, padding, padding, padding)) if padding else images
    if mirrored is not None:
        padded = torch.cat((padded, padded.flip(3)))
        lefts = torch.where(mirrored, 2 * padding - lefts, lefts)
        planes = planes + mirrored * count
    tall, wide = padded.shape[2:]
    planes = planes[:, None] * channels + torch.arange(channels)
    starts = ((planes * tall)[:, :, None] + (tops[:, None] + lines)[:, None]) * wide + lefts[:, None, None]
    rows = padded.reshape(-1).as_strided((padded.numel() - width + 1, width), (1, 1))
    return rows.index_select(0, starts.reshape(-1).to(images.device)).view(images.shape)
