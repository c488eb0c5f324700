"""IDX files, the form of MNIST and Fashion-MNIST, gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from isoflop.data.names import name_of
from isoflop.data.source import Pixels
from isoflop.data.sources.arrays import ArraySource
from isoflop.errors import DataError, Fault

FILES: Final = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
CLOTHES: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MOST: Final = 2**32
"""Bytes that a file may unpack to."""


def holds_idx(folder: Path) -> bool:
    """Whether a folder has the four files of such a set."""
    return all(_find(folder, stem) for stems in FILES.values() for stem in stems)


def idx_source(folder: Path, *, name: str | None = None) -> ArraySource:
    """The images of four IDX files, with a test split of their own.

    Validation takes 1 in 12 of the training images: 5,000 of 60,000. The classes are those of Fashion-MNIST where the
    name or the folder's says `fashion`, else numbers. Raises `DataError` for a file that is missing or broken.
    """
    known = name or name_of(folder.resolve().name)
    parts = {
        split: (_read(folder, images, 3)[..., None], _read(folder, labels, 1).astype(np.int64))
        for split, (images, labels) in FILES.items()
    }
    fashion = any("fashion" in word.lower() for word in (known, *folder.resolve().parts))
    numbers = tuple(map(str, range(1 + int(max(labels.max() for _, labels in parts.values())))))
    return ArraySource(
        name=known,
        kind="IDX files",
        classes=CLOTHES if fashion else numbers,
        parts=parts,
        val_share=1 / 12,
    )


def _find(folder: Path, stem: str) -> Path | None:
    dotted = stem.replace("-idx", ".idx")
    names = (stem, dotted, f"{stem}.gz", f"{dotted}.gz")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read(folder: Path, stem: str, dimensions: int) -> Pixels:
    """One file's array. The header is four bytes of kind, then one big-endian 32-bit number for each dimension."""
    path = _find(folder, stem)
    if path is None:
        raise DataError(Fault(str(folder), f"has no {stem}[.gz]", "put all four IDX files there"))
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * dimensions)
            if head[:4] != bytes((0, 0, 8, dimensions)) or len(head) < 4 + 4 * dimensions:
                raise DataError(Fault(str(path), f"is no IDX file of {dimensions} dimensions", "get it anew"))
            shape = tuple(map(int, np.frombuffer(head, ">u4", offset=4)))
            size = math.prod(shape)
            data = file.read(size + 1) if size <= MOST else b""
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(Fault(str(path), f"cannot be read ({error})", "get it anew")) from None
    if len(data) != size or not size:
        raise DataError(Fault(str(path), f"is cut short or too long: its header says {size} bytes", "get it anew"))
    return np.frombuffer(data, np.uint8).reshape(shape)
