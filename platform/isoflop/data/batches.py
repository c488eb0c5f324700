"""One split on the device as uint8, and the batches gathered from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from isoflop.config import AugmentConfig
from isoflop.data.augmentation import augment
from isoflop.seeds import derive


class Batches:
    """A split's images (N, C, H, W) uint8 and labels (N,) on the device, and batches of it. Arrays are copied there.

    Which images a step sees and how they are changed are functions of seed and step alone: a training that goes on
    from a checkpoint sees what it would have seen, with no generator's state kept.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8] | Tensor,
        labels: npt.NDArray[np.int64] | Tensor,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        resolution: int,
        device: torch.device,
    ) -> None:
        self.images, self.labels = _on(device, images), _on(device, labels)
        self.resolution = resolution
        scale = torch.tensor(std, dtype=torch.float32, device=device) * 255
        self._scale = scale.clamp_min(1e-3)[None, :, None, None]
        self._shift = torch.tensor(mean, dtype=torch.float32, device=device)[None, :, None, None] * 255
        self._order: tuple[tuple[int, int], Tensor] | None = None

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def at(self, step: int, *, size: int, seed: int, config: AugmentConfig) -> tuple[Tensor, Tensor]:
        """The training batch of a step, counted from 0: images as the model sees them and labels.

        Every epoch visits each image once in a fresh order; what does not fill a batch is left out.
        """
        return next(self.pieces(step, size=size, piece=size, seed=seed, config=config))

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batch of a step, in pieces of so many images: together what `at` gives, never there at once."""
        epoch, place = divmod(step, max(1, len(self) // size))
        chosen = self._epoch(seed, epoch)[place * size : (place + 1) * size]
        generator = torch.Generator().manual_seed(derive(seed, "augment", step))
        images = augment(self.images[chosen], config, generator)
        for part, labels in zip(torch.split(images, piece), torch.split(self.labels[chosen], piece), strict=True):
            yield self.normalized(part), labels

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once in its stored order, unchanged."""
        for images, labels in zip(torch.split(self.images, size), torch.split(self.labels, size), strict=True):
            yield self.normalized(images), labels

    def normalized(self, images: Tensor) -> Tensor:
        """Images as the model sees them: resized to its resolution, mean 0 and variance 1 by channel."""
        values = ((images.float() - self._shift) / self._scale).contiguous(memory_format=torch.channels_last)
        if values.shape[-1] == self.resolution == values.shape[-2]:
            return values
        side = (self.resolution, self.resolution)
        return interpolate(values, side, mode="bilinear", align_corners=False, antialias=True)

    def _epoch(self, seed: int, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != (seed, epoch):
            generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
            self._order = (seed, epoch), torch.randperm(len(self), generator=generator).to(self.images.device)
        return self._order[1]


def _on(device: torch.device, values: npt.NDArray[Any] | Tensor) -> Tensor:
    """An array's copy on a device; a tensor that is there already is taken as it is."""
    return (values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))).to(device)
