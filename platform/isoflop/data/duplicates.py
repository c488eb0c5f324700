"""Images that are equal, or nearly, with at most quadratic work in whole-array operations and none in Python."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.data.source import Pixels

Splits: TypeAlias = npt.NDArray[np.int8]
Hashes: TypeAlias = npt.NDArray[np.uint64]
Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]

BITS: Final = 6
"""Of each half of 64, how many bits may differ between images that are looked at more closely."""
LIKENESS: Final = 0.99
"""Correlation of the pixels of images that count as nearly equal."""
DEAD: Final = 4.0
"""Levels (of 255) by which neighbouring cells must differ to set a bit: what is flat stays flat under noise."""
CLOSER: Final = 32
"""Candidates of one image that are looked at more closely."""
THUMB: Final = 32
"""Pixels of a side at most, for the closer look."""
CHUNK: Final = 1024
BLOCK: Final = 2**19
"""Pairs of hashes compared at once: what fits a core's cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Images whose pixels are another's."""

    within: int
    """Beyond the first of their split."""
    across: int
    """In val or test, and in a split before theirs."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Exact duplicates among some images."""

    twin: Ints
    """(N,): the first image with the same pixels."""
    counts: Counts


def duplicates(images: Pixels, splits: Splits) -> Duplicates:
    """Images (N, C, H, W) with equal pixels; `splits` (N,) are indices in train, val, test."""
    seen: dict[bytes, int] = {}
    twin = np.fromiter((seen.setdefault(one, at) for at, one in enumerate(_hashes(images))), np.int64, len(images))
    places = np.unique(np.stack([twin, splits.astype(np.int64)], 1), axis=0)
    within = len(images) - len(places)
    # In a list of (first image, split), ascending, each further split of an image is one that repeats it.
    earliest = np.full(len(images), np.iinfo(np.int64).max)
    np.minimum.at(earliest, twin, splits.astype(np.int64))
    across = int((earliest[twin] < splits).sum())
    return Duplicates(twin, Counts(within=within, across=across))


def near(first: Pixels, second: Pixels) -> list[tuple[int, int]]:
    """Images of `second` (M, C, H, W) that nearly are one of `first` (N, C, H, W), equal ones too: (first, second).

    A difference hash of 2 x 64 bits finds candidates, the correlation of their pixels decides; of several the likest
    counts.
    """
    return list(_near(_looks(first), _looks(second)))
