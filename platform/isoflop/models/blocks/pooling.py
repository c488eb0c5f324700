"""How the last map becomes one vector, by name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

GRID = 2
"""Side of the grid of `adaptive`."""
LEVELS = (1, 2)
"""Sides of the grids of `pyramid`: maps of small images have few places."""


class Pooling(nn.Module):
    """Maps (N, C, H, W) to vectors (N, `factor` * C)."""

    factor = 1

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Pool."""


class Average(Pooling):
    """The mean of all places (Lin et al. 2014, arXiv 1312.4400)."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return x.mean((2, 3))


class Maximum(Pooling):
    """The greatest of all places."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return x.amax((2, 3))


class Adaptive(Pooling):
    """Means over a grid, so that the vector knows where."""

    factor = GRID**2

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return adaptive_avg_pool2d(x, GRID).flatten(1)


class Pyramid(Pooling):
    """Maxima over grids of several sides, side by side (He et al. 2014, arXiv 1406.4729)."""

    factor = sum(side**2 for side in LEVELS)

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        return torch.cat([adaptive_max_pool2d(x, side).flatten(1) for side in LEVELS], dim=1)


class Attention(Pooling):
    """The mean of all places, weighted by a learnt score of each (Ilse et al. 2018, arXiv 1802.04712, section 2.4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        weights = self.score(x).flatten(2).softmax(-1)
        found: Tensor = (x.flatten(2) * weights).sum(-1)
        return found


POOLINGS: Mapping[str, Callable[[int], Pooling]] = {
    "average": lambda _: Average(),
    "max": lambda _: Maximum(),
    "adaptive": lambda _: Adaptive(),
    "pyramid": lambda _: Pyramid(),
    "attention": Attention,
}


def pooling(name: str, channels: int) -> Pooling:
    """A new pooling of a map of so many channels."""
    return POOLINGS[name](channels)
