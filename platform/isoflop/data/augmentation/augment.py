"""All changes of a configuration, in their order."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from isoflop.config import AugmentConfig
from isoflop.data.augmentation.colour import jitter
from isoflop.data.augmentation.erasing import Erasing, erased
from isoflop.data.augmentation.geometry import bend
from isoflop.data.augmentation.mixing import Mix, mixes
from isoflop.data.augmentation.policy import follow
from isoflop.data.augmentation.shift import Shift
from isoflop.seeds import derive

STEPS = 16
"""Steps whose draws are made at once. It decides what erasing and mixing draw."""


class Augmentation:
    """The changes of the batches of some steps: `STEPS` of them from a multiple of it on.

    All draws are functions of seed and step, of CPU generators, so they are equal on every device. Those of crop,
    flips, erasing and mixing are made for all the steps at once: a small net's step takes some milliseconds, of which
    a hundred calls for a few numbers each would be a tenth.
    """

    def __init__(self, config: AugmentConfig, *, seed: int, step: int, shape: torch.Size, like: Tensor) -> None:
        self.config, self.seed, self.shape, self.like = config, seed, shape, like
        self.first = step - step % STEPS

    def __contains__(self, step: int) -> bool:
        """Whether it is of this step."""
        return self.first <= step < self.first + STEPS

    def __call__(self, images: Tensor, step: int, colour: Tensor) -> Tensor:
        """Change a step's uint8 batch (N, C, H, W), each image by its own draws: all but mixing; perhaps in place.

        `colour` (C, 1, 1) is what erasing paints with.
        """
        config, place = self.config, step - self.first
        if self._shift is not None:
            images = self._shift.of(place, images)
        if config.blends:
            generator = torch.Generator().manual_seed(derive(self.seed, "augment pixels", step))
            images = bend(images, config, generator)
            images = follow(images, config, generator)
            images = jitter(images, config, generator)
        if self._erasing is not None:
            images = self._erasing.erase(place, images, colour)
        return images

    def mix(self, step: int) -> Mix | None:
        """How a step's images and labels are mixed, if they are."""
        return self._mixes[step - self.first] if self.config.mixes else None

    @cached_property
    def _shift(self) -> Shift | None:
        if not (self.config.crop or self.config.flip or self.config.flip_vertical):
            return None
        steps = range(self.first, self.first + STEPS)
        generators = [torch.Generator().manual_seed(derive(self.seed, "augment", step)) for step in steps]
        return Shift(self.shape, self.config, generators, self.like)

    @cached_property
    def _erasing(self) -> Erasing | None:
        if not self.config.erasing:
            return None
        numbers = self._numbers("erasing")
        edges = erased(STEPS, self.shape, self.config.erasing, self.config.erasing_area, numbers)
        return Erasing.of(edges, self.shape, self.like.device)

    @cached_property
    def _mixes(self) -> list[Mix]:
        return mixes(STEPS, self.shape, self.config, self._numbers("mixing"), self.like.device)

    def _numbers(self, word: str) -> np.random.Generator:
        return np.random.default_rng(derive(self.seed, word, self.first))


class Draws:
    """The augmentation of whatever step is asked for; what was drawn for it is kept until it is of no more use."""

    def __init__(self) -> None:
        self._kept: Augmentation | None = None

    def of(self, step: int, images: Tensor, *, seed: int, config: AugmentConfig) -> Augmentation:
        """That of a step's batch (N, C, H, W)."""
        kept, shape = self._kept, images.shape
        if kept is None or step not in kept or (kept.seed, kept.shape) != (seed, shape) or kept.config is not config:
            kept = self._kept = Augmentation(config, seed=seed, step=step, shape=shape, like=images)
        return kept
