"""Memory: what a training takes at its peak, and what is said when there is no more."""

from __future__ import annotations

import ctypes
import re
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import torch

from isoflop.errors import ExhaustedError

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""What Linux takes at CLEAR to begin the process's peak anew (man 5 proc)."""

EXHAUSTED = re.compile(
    r"out of memory|DefaultCPUAllocator|bad_alloc|not enough memory|can't allocate memory"
    r"|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|could not create a (primitive|memory object)$",
    re.IGNORECASE,
)
"""The last is all that oneDNN says; of what it cannot do, it says that there is no primitive descriptor."""
ASKED = re.compile(r"(?:tried to allocate|Unable to allocate)\s+([\d.]+)\s*(bytes|[KMGT]iB)", re.IGNORECASE)


class Meter:
    """The peak of what a training takes, from when it is made.

    On a GPU, the bytes that this process's allocator took from the device: weights, the data set, and what is cached
    between tensors; the driver's own context, some hundred MB a process, comes on top. On the CPU, how far the
    process's private memory rose; what is mapped from files, libraries and data sets, is left out. A worker that
    trained before may hold freed memory that the C library could not give back and a new training takes without a
    rise, so there the number may be too small. Where the system does not tell its peak, only the reports are looked at.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        give_back(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self._peaks = _forget_peak()
        self._before, self._most = _private(), 0

    def peak(self) -> int:
        """Bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_reserved(self.device)
        rise = (_private_peak() if self._peaks else _private()) - self._before
        self._most = max(self._most, rise)  # what is mapped from files may have grown since the peak
        return self._most


def give_back(device: torch.device) -> None:
    """Give back what the allocators keep of freed memory, to the GPU and to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if (trim := _trim()) is not None:
        trim(0)


class Exhaustion:
    """A context out of which running out of memory comes as `ExhaustedError`, in one line.

    `where` says how far the training is, and `drop` lets go of what it holds. The tensors of the calls that failed are
    dropped too, and what is cached of the device's memory is given back.
    """

    def __init__(
        self, device: torch.device, where: Callable[[], str], *, drop: Callable[[], None] | None = None
    ) -> None:
        self.device, self.where, self.drop = device, where, drop

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Tell what was asked for, where, and on which device."""
        if error is None or not is_exhaustion(error):
            return
        text = f"out of memory on {self.device} {self.where()}{_asked(str(error))}"
        traceback.clear_frames(at)
        error.__traceback__ = None
        if self.drop is not None:
            self.drop()
        give_back(self.device)
        raise ExhaustedError(text) from None


def is_exhaustion(error: BaseException) -> bool:
    """Whether an error says that there is no more memory. Torch's CPU allocator and oneDNN raise RuntimeError."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and EXHAUSTED.search(str(error)) is not None


def _asked(text: str) -> str:
    found = ASKED.search(text)
    if found is None:
        return f" ({text.partition(chr(10))[0]})" if text else ""
    amount, unit = float(found[1]), found[2]
    asked = f"{amount / 2**20:,.1f} MiB" if unit == "bytes" else f"{amount:g} {unit}"
    return f": {asked} more were asked for"


def _forget_peak() -> bool:
    """Begin the process's peak anew. Returns whether the system can."""
    try:
        CLEAR.write_text(FORGET_PEAK)
    except OSError:
        return False
    return _status().keys() >= {"VmHWM", "RssAnon", "RssFile", "RssShmem"}


def _private() -> int:
    """Bytes that this process holds for itself."""
    found = _status()
    return found["RssAnon"] if "RssAnon" in found else int(psutil.Process().memory_info().rss)


def _private_peak() -> int:
    """Bytes that this process held for itself at the peak, what is mapped from files being as it is now."""
    found = _status()
    return found["VmHWM"] - found["RssFile"] - found["RssShmem"]


def _status() -> dict[str, int]:
    """Linux's account of this process in bytes, empty elsewhere."""
    with suppress(OSError):
        lines = [line.split() for line in STATUS.read_text().splitlines() if line.endswith(" kB")]
        return {name.removesuffix(":"): int(size) * 1024 for name, size, _ in lines}
    return {}


@cache
def _trim() -> Any:
    """The C library's call that gives freed memory back to the system, none where it has none."""
    with suppress(OSError, AttributeError):
        return ctypes.CDLL(None).malloc_trim
    return None
