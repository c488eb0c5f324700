"""Files of a prepared set as they are written: hashed on the way, and on the disk before anybody sees them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

BYTES: Final = 2**22
"""Bytes copied at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A file's hash and length, and the hash of its array alone, which no header decides."""

    sha256: str
    bytes: int
    content: str


def write_images(path: Path, images: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]) -> Written:
    """Some images of (N, C, H, W) as an .npy file, in the order of `places`.

    It is written from front to back, not through a memory map: a full disk is then an error, not a killed process.
    """
    shape = (len(places), *images.shape[1:])
    size = max(1, BYTES // (images.nbytes // len(images)))
    rows = (images[places[start : start + size]].tobytes() for start in range(0, len(places), size))
    return _write(path, _header(shape, np.dtype(np.uint8)), rows)


def write_labels(path: Path, labels: npt.NDArray[np.int64] | npt.NDArray[np.uint8]) -> Written:
    """Labels (N,), or multi-hot (N, classes), as an .npy file."""
    kind = np.dtype("<i8") if labels.ndim == 1 else np.dtype(np.uint8)
    return _write(path, _header(labels.shape, kind), [labels.astype(kind).tobytes()])


def write_bytes(path: Path, data: bytes) -> Written:
    """Any other file."""
    return _write(path, b"", [data])


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _header(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def _write(path: Path, header: bytes, rows: Iterable[bytes]) -> Written:
    whole, content, size = hashlib.sha256(header), hashlib.sha256(), len(header)
    with path.open("wb") as file:
        file.write(header)
        for row in rows:
            file.write(row)
            whole.update(row)
            content.update(row)
            size += len(row)
        file.flush()
        os.fsync(file.fileno())
    return Written(sha256=whole.hexdigest(), bytes=size, content=content.hexdigest())
