"""The data set that this process trains on: its splits as tensors, made once for one training after another.

On the CPU they are the files themselves, mapped: processes of a machine share them, and none reads more than it uses.
On a GPU they are copies there. One set stays on each device; the next one takes its place.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isoflop.data.prepared import PreparedData

_LOCK: Final = threading.Lock()


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
            found.splits[split] = _on(device, images), _on(device, labels)
        return found.splits[split]


def _on(device: torch.device, array: npt.NDArray[Any]) -> Tensor:
    """A mapped array on a device. Torch wants no read-only memory, so it is mapped again, writes staying private."""
    assert isinstance(array, np.memmap)
    assert array.filename is not None
    again = np.memmap(array.filename, array.dtype, mode="c", offset=array.offset, shape=array.shape)
    return torch.from_numpy(again).to(device)
