"""A training's split, where its images are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from isoflop.config import DataConfig
from isoflop.data.portion import Portion, portion
from isoflop.data.prepared import PreparedData
from isoflop.data.resident import kept_on, resident
from isoflop.data.rows import Rows


@dataclass(frozen=True, slots=True)
class Feed:
    """Images and labels as batches are gathered from them."""

    portion: Portion
    images: Tensor | Rows
    """(N, C, H, W) uint8."""
    labels: Tensor
    """(N,) int64, on the training's device."""

    @classmethod
    def of(cls, prepared: PreparedData, split: str, config: DataConfig, device: torch.device) -> Self:
        """The images that a configuration's split consists of: the stored tensor itself where it is all of them."""
        found = portion(prepared, split, config)
        where = [kept_on(prepared, name, device) for name in found.parts]
        home = next((one for one in where if one != device), device)
        stored = [resident(prepared, name, home) for name in found.parts]
        if found.places is None and home == device:
            return cls(found, *stored[0])
        places = None if found.places is None else torch.from_numpy(found.places).to(home)
        labels = torch.from_numpy(found.labels.copy()).to(device)
        return cls(found, Rows([images for images, _ in stored], places, device), labels)

    @property
    def home(self) -> torch.device:
        """Where the images are kept."""
        return self.images.kept if isinstance(self.images, Rows) else self.images.device
