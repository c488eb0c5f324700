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
from isoflop.data.augmentation import Mix, augment, erase, erased
from isoflop.data.order import Order, Shuffled
from isoflop.data.rows import Rows
from isoflop.seeds import derive


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
        # One number for each place of a row of pixels (W * C), so that a subtraction has no short inner loop.
        width = self.images[:1].shape[3]
        scale = torch.tensor(std, dtype=torch.float32, device=device) * 255
        self._scale = scale.clamp_min(1e-3).repeat(width)
        self._shift = (torch.tensor(mean, dtype=torch.float32, device=device) * 255).repeat(width)

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
        generator = torch.Generator().manual_seed(derive(seed, "augment", step))
        images = augment(self.images.index_select(0, chosen), config, generator)
        labels = self.labels.index_select(0, chosen.to(self.labels.device))
        if isinstance(self.images, Rows) and self.images.away:
            self.images.ahead(self.order.at(step + 1, size=size, seed=seed))
        side = self._sides(step)
        boxes, mix = None, None
        if config.erasing:
            boxes = erased(images.shape, config.erasing, config.erasing_area, generator).to(images.device)
        if config.mixes:
            mix = Mix.draw(images.shape, config, generator, images.device)
        for first in range(0, len(images), piece):
            part = slice(first, first + piece)
            values, targets = self._values(images[part], None if boxes is None else boxes[:, part]), labels[part]
            if mix is not None:
                own = mix.part(part)
                others = images.index_select(0, own.partners)
                partners = self._values(others, None if boxes is None else boxes[:, own.partners])
                values = own.images(values, partners)
                targets = own.targets(targets, labels[own.partners], self.classes)
            yield self._resized(values, side), targets

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once in its stored order, unchanged."""
        for start in range(0, len(self), size):
            yield self.normalized(self.images[start : start + size]), self.labels[start : start + size]

    def normalized(self, images: Tensor) -> Tensor:
        """Images as the model sees them: resized to its resolution, mean 0 and variance 1 by channel."""
        return self._resized(self._scaled(images), self.resolution)

    def _values(self, images: Tensor, boxes: Tensor | None) -> Tensor:
        """Images as numbers, boxes (4, N) being erased."""
        values = self._scaled(images)
        return values if boxes is None else erase(values, boxes)

    def _scaled(self, images: Tensor) -> Tensor:
        """Mean 0 and variance 1 by channel, stored channels last (N, C, H, W)."""
        values = images.to(torch.float32, copy=True).contiguous(memory_format=torch.channels_last)
        rows = values.permute(0, 2, 3, 1).view(-1, len(self._scale))
        rows.sub_(self._shift).div_(self._scale)
        return values

    def _resized(self, images: Tensor, side: int) -> Tensor:
        """With so many pixels a side."""
        if images.shape[-1] == side == images.shape[-2]:
            return images
        return interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


def _on(device: torch.device, values: npt.NDArray[Any] | Tensor) -> Tensor:
    """An array's copy on a device; a tensor that is there already is taken as it is."""
    return (values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))).to(device)
