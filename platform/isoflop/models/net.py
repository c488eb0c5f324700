"""A body that sees, and a head that decides."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from isoflop.scaling import Shape

LAYOUT = torch.channels_last
"""Of weights and images: what convolutions are fastest in, on the CPU too. Sums are ordered by it."""


class Body(nn.Module):
    """The part of a model that other tasks can stand on."""

    channels: int
    """Length of the vector that `forward` gives for each image."""

    def head(self, classes: int, dropout: float) -> nn.Module:
        """What makes logits (N, classes) of what `forward` gives."""
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(self.channels, classes))

    @abstractmethod
    def features(self, x: Tensor) -> dict[int, Tensor]:
        """Maps (N, channels, H, W) by their stride in pixels, ascending: the last map of each stride."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """One vector (N, channels) for each image (N, C, H, W) of the shape's resolution."""


class Staged(Body):
    """A stem, then stages one after the other; the vector is the mean of the last map.

    A subclass makes `stem` and fills the lists; it overrides `forward` where the vector is another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem: nn.Module = nn.Identity()
        self.stages = nn.ModuleList()
        self.strides: list[int] = []
        """The stride in pixels of each stage's map."""

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The map after each stage by stride; of stages with equal stride, the last."""
        x = self.stem(x)
        maps: dict[int, Tensor] = {}
        for stride, stage in zip(self.strides, self.stages, strict=True):
            x = stage(x)
            maps[stride] = x
        return maps

    def last(self, x: Tensor) -> Tensor:
        """The last map."""
        *_, found = self.features(x).values()
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The last map, averaged over its place."""
        return self.last(x).mean((2, 3))


class Net(nn.Module):
    """A body and its head: logits (N, classes) of images at the shape's resolution."""

    def __init__(self, body: Body, shape: Shape, *, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body, self.shape = body, shape
        self.head = body.head(classes, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        logits: Tensor = self.head(self.body(x))
        return logits

    def features(self, x: Tensor) -> dict[int, Tensor]:
        """The body's maps by stride."""
        return self.body.features(x)
