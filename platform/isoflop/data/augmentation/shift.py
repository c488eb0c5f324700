"""Moving whole pixels: nothing is interpolated. Crop and both flips are one gather of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.draws import chance


class Shift:
    """Windows out of images padded with zeros, mirrored where so drawn, for the batches of several steps.

    All rows of a batch's windows are gathered at once out of a view that has a row at every pixel, overlapping: copying
    rows takes a fraction of what gathering pixels takes. The padded images, and behind them the same mirrored, stand in
    one tensor for all steps.
    """

    def __init__(
        self, shape: torch.Size, config: AugmentConfig, generators: Sequence[torch.Generator], like: Tensor
    ) -> None:
        """For batches of a shape (N, C, H, W), one generator a step; `like` tells their kind and device."""
        _, channels, height, width = self.shape = shape
        padding, kinds = config.crop, 1 + config.flip
        starts = torch.from_numpy(_starts(shape, config, generators)).to(like.device)
        self.starts = [step.flatten() for step in starts]
        padded = like.new_zeros((kinds, *shape[:2], height + 2 * padding, width + 2 * padding))
        self.rows = padded.as_strided((padded.numel() - width + 1, width), (1, 1))
        self.inner = padded[..., padding : padding + height, padding : padding + width].unbind(0)
        # Where there is one channel its stride tells nothing, yet by it torch chooses the layout that a convolution
        # computes in: cropped images say channels last.
        plain = (channels * height * width, height * width, width, 1)
        self.strides = (height * width, 1, width, 1) if channels == 1 and padding else plain

    def of(self, place: int, images: Tensor) -> Tensor:
        """A step's images (N, C, H, W), moved."""
        self.inner[0].copy_(images)
        if len(self.inner) > 1:
            self.inner[1].copy_(images.flip(3))
        return self.rows.index_select(0, self.starts[place]).as_strided(self.shape, self.strides)


def _starts(shape: torch.Size, config: AugmentConfig, generators: Sequence[torch.Generator]) -> npt.NDArray[np.int64]:
    """The pixel at which each row of each window begins (steps, N, C, H)."""
    count, channels, height, width = shape
    padding = config.crop
    tall, wide = height + 2 * padding, width + 2 * padding
    planes = np.arange(0, count * channels, channels)
    lines = (np.arange(0, channels * tall, tall)[:, None] + np.arange(height)) * wide
    tops, lefts = np.zeros((2, len(generators), count), dtype=np.int64)
    drawn = [_draw(count, config, generator) for generator in generators]
    if padding:
        tops, lefts = np.stack([corners.numpy() for corners, _, _ in drawn], 1)
    if config.flip:
        mirrored = np.stack([chosen.numpy() for _, chosen, _ in drawn])
        planes = planes + mirrored * (count * channels)
        lefts = np.where(mirrored, 2 * padding - lefts, lefts)
    if config.flip_vertical:
        upended = np.stack([chosen.numpy() for _, _, chosen in drawn])
        lines = np.where(upended[:, :, None, None], lines[:, ::-1], lines)
    firsts: npt.NDArray[np.int64] = (planes * tall + tops) * wide + lefts
    return firsts[:, :, None, None] + lines


def _draw(count: int, config: AugmentConfig, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A step's tops and lefts (2, N), and which images are mirrored and upended (N,); empty where nothing is asked."""
    none = torch.empty(0)
    corners = torch.randint(0, 2 * config.crop + 1, (2, count), generator=generator) if config.crop else none
    mirrored = chance(count, 0.5, generator) if config.flip else none
    upended = chance(count, 0.5, generator) if config.flip_vertical else none
    return corners, mirrored, upended
