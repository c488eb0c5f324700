"""Logits as arrays, looked through a block of rows at a time, so that a large split needs no copies of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Logits: TypeAlias = npt.NDArray[np.floating]
Labels: TypeAlias = npt.NDArray[np.integer]
Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

CELLS = 1 << 18
"""Numbers of a block: 2 MiB as float64, which stays in the cache."""


def rows(images: int, classes: int) -> Iterator[slice]:
    """The rows of (images, classes) in blocks."""
    step = max(1, CELLS // max(1, classes))
    for start in range(0, images, step):
        yield slice(start, min(start + step, images))
