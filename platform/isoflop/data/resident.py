"""The data set that this process trains on: its splits as tensors, made once for one training after another.

On the CPU they are the files themselves, mapped: processes of a machine share them, and none reads more than it uses.
On a GPU they are copies there, but for splits that are too large: those stay on the host, mapped. One set stays on
each device; the next one takes its place.
"""

from __future__ import annotations

import mmap
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isoflop.data.prepared import PreparedData

_LOCK: Final = threading.Lock()


SHARE: Final = 0.5
"""Share of a device's free memory above which a split stays on the host: the rest is the training's."""
NO_RESERVE: Final = 0x4000 if sys.platform == "linux" else 0
"""Linux's MAP_NORESERVE, which Python names from 3.12 on."""


@dataclass(slots=True)
class _Resident:
    """A set on a device, as far as its splits were asked for."""

    place: str
    digest: str
    splits: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


_RESIDENTS: Final[dict[torch.device, _Resident]] = {}


def resident(prepared: PreparedData, split: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """A split's images (N, C, H, W) uint8 and labels (N,) int64 on a device; nobody may write to them.

    A set that was prepared anew has another digest, so it is another set. Raises `DataError` as opening a split does.
    """
    with _LOCK:
        found = _RESIDENTS.get(device)
        if found is None or (found.place, found.digest) != (str(prepared.path), prepared.digest):
            found = _RESIDENTS[device] = _Resident(str(prepared.path), prepared.digest)
        if split not in found.splits:
            images, labels = prepared.split(split)
            found.splits[split] = mapped(images).to(device), mapped(labels).to(device)
        return found.splits[split]


def kept_on(prepared: PreparedData, split: str, device: torch.device) -> torch.device:
    """Where a split's images are kept for a device: there, or on the host where they would take too much of it.

    The numbers of a training are the same either way.
    """
    with _LOCK:
        found = _RESIDENTS.get(device)
        there = found is not None and found.digest == prepared.digest and split in found.splits
    free = free_memory(device)
    large = free is not None and prepared.split(split)[0].nbytes > SHARE * free
    return torch.device("cpu") if large and not there else device


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a GPU; none on the host, where files are mapped and take none."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else None


def mapped(array: npt.NDArray[Any]) -> Tensor:
    """A mapped array as a tensor. Torch wants no read-only memory, so it is mapped again, writes staying private.

    Linux would set memory aside for such writes, and refuse a file larger than its memory, so it is told not to.
    """
    assert isinstance(array, np.memmap)
    assert array.filename is not None
    with Path(array.filename).open("rb") as file:
        flags, rights = mmap.MAP_PRIVATE | NO_RESERVE, mmap.PROT_READ | mmap.PROT_WRITE
        again = mmap.mmap(file.fileno(), array.offset + array.nbytes, flags=flags, prot=rights)
    found = np.frombuffer(again, array.dtype, offset=array.offset).reshape(array.shape)
    return torch.from_numpy(found)
