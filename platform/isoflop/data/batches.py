"""One split on the device as uint8, and the batches gathered from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from isoflop.config import AugmentConfig
from isoflop.data.augmentation import Draws
from isoflop.data.order import Order, Shuffled
from isoflop.data.rows import Rows


class Batches:
    """A split's images (N, C, H, W) uint8 and labels (N,) on the device, and batches of it. Arrays are copied there.

    Which images a step sees and how they are changed are functions of seed and step alone: a training that goes on
    from a checkpoint sees what it would have seen, with no generator's state kept. `classes` is how many there are;
    labels are mixed only where it is given.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8] | Tensor | Rows,
        labels: npt.NDArray[np.int64] | Tensor,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        resolution: int,
        device: torch.device,
        classes: int = 0,
        order: Order | None = None,
        sides: Callable[[int], int] | None = None,
    ) -> None:
        """`order` is by default the plain one; `sides` says at how many pixels a side a step trains."""
        self.images = images if isinstance(images, Rows) else _on(device, images)
        self.labels = _on(device, labels)
        self.order = order or Shuffled(len(self.labels), device)
        self._sides = sides or (lambda _: resolution)
        self.resolution, self.classes = resolution, classes
        scale = torch.tensor(std, dtype=torch.float32, device=device) * 255
        self._scale = scale.clamp_min(1e-3)[None, :, None, None]
        self._shift = torch.tensor(mean, dtype=torch.float32, device=device)[None, :, None, None] * 255
        self.colour = self._shift.round()[0].to(self.images.dtype)
        """The mean of each channel (C, 1, 1) as stored."""
        self._draws = Draws()

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def at(self, step: int, *, size: int, seed: int, config: AugmentConfig) -> tuple[Tensor, Tensor]:
        """The training batch of a step, counted from 0: images as the model sees them, and targets.

        Which images these are, the order decides.
        """
        return next(self.pieces(step, size=size, piece=size, seed=seed, config=config))

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batch of a step, in pieces of so many images: together what `at` gives, never there at once.

        Targets are labels, or distributions over the classes (N, classes) where labels are mixed.
        """
        chosen = self.order.at(step, size=size, seed=seed)
        images = self.images.index_select(0, chosen)
        labels = self.labels.index_select(0, chosen.to(self.labels.device))
        if isinstance(self.images, Rows) and self.images.away:
            self.images.ahead(self.order.at(step + 1, size=size, seed=seed))
        augmentation = self._draws.of(step, images, seed=seed, config=config)
        images, mix = augmentation(images, step, self.colour), augmentation.mix(step)
        for first in range(0, len(images), piece):
            part = slice(first, first + piece)
            values, targets = self._values(images[part]), labels[part]
            if mix is not None:
                own = mix if piece >= len(images) else mix.part(part)
                values = own.images(values, self._partners(images, values, own.partners))
                targets = own.targets(targets, labels.index_select(0, own.partners), self.classes)
            yield self._seen(values, self._sides(step)), targets

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once in its stored order, unchanged."""
        for start in range(0, len(self), size):
            yield self.normalized(self.images[start : start + size]), self.labels[start : start + size]

    def normalized(self, images: Tensor) -> Tensor:
        """Images as the model sees them: resized to its resolution, mean 0 and variance 1 by channel."""
        return self._seen(self._values(images), self.resolution)

    def _values(self, images: Tensor) -> Tensor:
        """Mean 0 and variance 1 by channel. Channels stay where they are: that is faster."""
        return images.to(torch.float32, copy=True).sub_(self._shift).div_(self._scale)

    def _partners(self, images: Tensor, values: Tensor, places: Tensor) -> Tensor:
        """A batch's images at some places as numbers, taken out of the values where those are the whole batch's."""
        if len(values) == len(images):
            return values.index_select(0, places)
        return self._values(images.index_select(0, places))

    def _seen(self, images: Tensor, side: int) -> Tensor:
        """With so many pixels a side, stored channels last."""
        images = images.contiguous(memory_format=torch.channels_last)
        if images.shape[-1] == side == images.shape[-2]:
            return images
        return interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


def _on(device: torch.device, values: npt.NDArray[Any] | Tensor) -> Tensor:
    """An array's copy on a device; a tensor that is there already is taken as it is."""
    return (values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))).to(device)
