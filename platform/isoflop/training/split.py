"""What a training sees of its data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

from isoflop.config import AugmentConfig


class Split(Protocol):
    """Images and targets of one split."""

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batch of a step, in pieces of so many images; the last may be smaller."""
        ...

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once, in order."""
        ...
