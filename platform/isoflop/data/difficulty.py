"""How difficult each training image is: the larger the number, the later a curriculum shows it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.config import GIVEN
from isoflop.data.source import Labels, Pixels
from isoflop.disk import draft
from isoflop.errors import DataError, Fault, UnknownError

Values: TypeAlias = npt.NDArray[np.float64]
BYTES: Final = 2**24
"""Pixels looked at at a time."""


def distances(images: Pixels, labels: Labels) -> Values:
    """The distance (N,) of each image (N, C, H, W) to the mean image of its class, in levels of 255, root mean square.

    No net is needed. An outlier among the pixels is not an outlier to a net, so it orders less well than the losses of
    a trained one (Hacohen & Weinshall 2019, section 3), which `keep` takes.
    """
    sums = np.zeros((int(labels.max()) + 1, *images.shape[1:]), np.int64)
    for some in _chunks(images):
        np.add.at(sums, labels[some], images[some])
    counts = np.bincount(labels)
    means = sums / np.maximum(counts, 1)[:, None, None, None]
    found = np.empty(len(labels))
    for some in _chunks(images):
        found[some] = np.sqrt(((images[some] - means[labels[some]]) ** 2).mean((1, 2, 3)))
    return found


def losses(logits: npt.NDArray[np.float32], labels: Labels) -> Values:
    """The cross-entropy (N,) of a trained net's logits (N, classes): its losses, which `keep` takes."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    found: Values = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    return found


def keep(values: Values, folder: Path) -> str:
    """Store numbers given for the training images (N,), in their stored order, such as a trained net's losses.

    Returns what `curriculum.given` names them by. Raises `StateError` where the disk refuses.
    """
    stored = np.ascontiguousarray(values, "<f8")
    name = hashlib.sha256(stored.tobytes()).hexdigest()[:16]
    with draft(folder, f"{name}.npy") as beside:
        with beside.path.open("wb") as file:
            np.save(file, stored)
        beside.publish(folder / f"{name}.npy")
    return name


def given(name: str, folder: Path, sizes: Mapping[str, int]) -> Values:
    """Numbers that `keep` stored for the images of splits of these sizes.

    Raises `UnknownError` where there are none, or they are not what was stored, `DataError` where they are of another
    number of images.
    """
    values = _read(name, folder)
    if len(values) != sum(sizes.values()):
        what = f"{name} are of {len(values)} images, and {sum(sizes.values())} are stored"
        raise DataError(Fault(GIVEN, what, f"give one for each of {' and '.join(sizes)}"))
    return values


def _read(name: str, folder: Path) -> Values:
    """What a file holds, if that is what its name says."""
    with suppress(OSError, ValueError):
        found: Values = np.load(io.BytesIO((folder / f"{name}.npy").read_bytes()), allow_pickle=False)
        if hashlib.sha256(found.tobytes()).hexdigest()[:16] == name:
            return found
    what = f"no difficulties {name!r} stand in {folder}"
    raise UnknownError(Fault(GIVEN, what, "store them with isoflop.data.difficulty.keep"))


def _chunks(images: Pixels) -> Iterator[slice]:
    size = max(1, BYTES // (images.nbytes // len(images)) // 8)
    return (slice(start, start + size) for start in range(0, len(images), size))
