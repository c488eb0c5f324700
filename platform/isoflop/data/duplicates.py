"""Images that are equal, or nearly, with at most quadratic work in whole-array operations and none in Python."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
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
"""Correlation of the grey pixels of images that count as nearly equal."""
DEAD: Final = 8.0
"""Levels (of 255) by which neighbouring cells must differ to set a bit: what is flat stays flat under noise."""
CELLS: Final = 8
CLOSER: Final = 32
"""Candidates of one image that are looked at more closely: those with the nearest hashes."""
THUMB: Final = 32
"""Pixels of a side at most, for the closer look."""
CHUNK: Final = 1024
"""Images hashed at a time, fewer where their grey pixels take more than"""
BYTES: Final = 2**26
BLOCK: Final = 2**18
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


def duplicates(parts: Sequence[Pixels], splits: Splits) -> Duplicates:
    """Images with equal pixels, N in all parts (each (n, C, H, W)); `splits` (N,) are indices in train, val, test."""
    seen: dict[bytes, int] = {}
    contents = (one for images in parts for one in _contents(images))
    twin = np.fromiter((seen.setdefault(one, at) for at, one in enumerate(contents)), np.int64, len(splits))
    homes = splits.astype(np.int64)
    kinds = np.unique(np.stack([twin, homes], 1), axis=0)
    earliest = homes.copy()
    np.minimum.at(earliest, twin, homes)
    across = int((earliest[twin] < homes).sum())
    return Duplicates(twin, Counts(within=len(splits) - len(kinds), across=across))


def near(first: Pixels, second: Pixels) -> list[tuple[int, int]]:
    """Images of `second` (M, C, H, W) that nearly are one of `first` (N, C, H, W), as pairs (first, second).

    A difference hash of 2 x 64 bits finds candidates, equal images among them; the correlation of grey pixels decides;
    of several the likest counts. M * N comparisons of hashes: some 10**9 a second on one core.
    """
    mine, theirs = _hashes(first), _hashes(second)
    found = []
    for at, candidates in _candidates(mine, theirs):
        likeness = _looks(first[candidates]) @ _looks(second[at : at + 1])[0]
        best = int(likeness.argmax())
        if likeness[best] >= LIKENESS:
            found.append((int(candidates[best]), at))
    return found


def _candidates(mine: Hashes, theirs: Hashes) -> Iterator[tuple[int, Ints]]:
    """For each of `theirs` (2, M) that has any, which of `mine` (2, N) have a hash near its own."""
    rows = max(1, BLOCK // max(1, mine.shape[1]))
    for start in range(0, theirs.shape[1], rows):
        block = theirs[:, start : start + rows]
        close = np.bitwise_count(mine[0] ^ block[0][:, None]) <= BITS
        for row in np.flatnonzero(close.any(1)):
            places = np.flatnonzero(close[row])
            down, across = (np.bitwise_count(half[places] ^ one) for half, one in zip(mine, block[:, row], strict=True))
            order = np.argsort(down + across, kind="stable")
            chosen = places[order[across[order] <= BITS][:CLOSER]]
            if len(chosen):
                yield start + int(row), np.sort(chosen)


def _hashes(images: Pixels) -> Hashes:
    """Difference hashes (2, N): where brightness rises from a cell to the next on its right, and to the next below."""
    halves: list[list[Hashes]] = [[], []]
    size = max(1, min(CHUNK, BYTES // (4 * images.shape[2] * images.shape[3])))
    for start in range(0, len(images), size):
        grey = _grey(images[start : start + size])
        across = np.diff(_pool(grey, CELLS, CELLS + 1), axis=2) > DEAD
        down = np.diff(_pool(grey, CELLS + 1, CELLS), axis=1) > DEAD
        for half, bits in zip(halves, (across, down), strict=True):
            half.append(np.packbits(bits.reshape(len(bits), -1), axis=1).view(np.uint64)[:, 0])
    return np.stack([np.concatenate(half) for half in halves])


def _looks(images: Pixels) -> Floats:
    """Small grey images as vectors (N, D) of mean 0 and length 1: their products are correlations.

    One that varies by less than a level counts as flat and is like no other.
    """
    grey = _grey(images)
    height, width = (min(side, THUMB) for side in grey.shape[1:])
    flat: Floats = _pool(grey, height, width).reshape(len(grey), -1)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), flat.shape[1] ** 0.5)
    return flat


def _grey(images: Pixels) -> Floats:
    grey: Floats = images.mean(axis=1, dtype=np.float32)
    return grey


def _pool(images: Floats, rows: int, columns: int) -> Floats:
    """Mean brightness of the cells (N, rows, columns) of images (N, H, W)."""
    pooled = _cells(images.shape[1], rows) @ images @ _cells(images.shape[2], columns).T
    return pooled.astype(np.float32, copy=False)


def _cells(size: int, count: int) -> Floats:
    """Which share of each pixel's row or column a cell takes (count, size); each cell's shares sum to 1."""
    edges, pixels = np.linspace(0, size, count + 1), np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: Floats = (overlap.clip(0) * count / size).astype(np.float32)
    return shares


def _contents(images: Pixels) -> Iterator[bytes]:
    """Hash of each image's pixels."""
    return (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
