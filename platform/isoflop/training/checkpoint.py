"""Checkpoints: a training's state at a report, whole or not there.

A checkpoint's name holds the number of its report and a hash of its content and of whose training it is. One that does
not fit its name is passed over, whether it was torn, changed, or left by another configuration.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch

from isoflop.crashpoints import crash
from isoflop.disk import draft

KEPT = 2
"""How many stand: the newest, and the one before for when the newest is torn."""
NAME = re.compile(r"(\d{6,})-([0-9a-f]{16})\.pt")


def save(folder: Path, report: int, state: dict[str, Any], *, owner: str = "") -> Path:
    """Write the state after a report beside and rename it, and drop those older than the last but one.

    Those with a later report are dropped too: they were torn or another owner's, or this report would not have been
    made again. Raises `StateError` where the disk refuses; the older ones stand then.
    """
    with draft(folder, f"{report:06d}.pt") as beside:
        digest = _write(beside.path, state, owner)
        crash("checkpoint.before_rename")
        path = beside.publish(folder / f"{report:06d}-{digest}.pt")
    crash("checkpoint.after_rename")
    later = [old for old in standing(folder) if _report(old) >= report and old != path]
    _drop([*later, *_stale(folder)])
    thin(folder)
    return path


def load(folder: Path, device: torch.device, *, owner: str = "") -> dict[str, Any] | None:
    """The newest whole checkpoint of an owner in a folder, none where there is none. Any other is passed over."""
    for path in standing(folder):
        with suppress(OSError), path.open("rb") as file:
            if path.name == f"{_report(path):06d}-{_digest(file, owner)}.pt":
                file.seek(0)
                state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
                return state
    return None


def standing(folder: Path) -> Iterator[Path]:
    """The checkpoints in a folder, newest first, whole or not."""
    found = [path for path in folder.glob("*.pt") if NAME.fullmatch(path.name)]
    yield from sorted(found, key=lambda path: (_report(path), path.name), reverse=True)


def size(folder: Path) -> int:
    """Bytes that a folder's files take, 0 where there is none."""
    total = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # another process may just have dropped it
            total += path.stat().st_size
    return total


def thin(folder: Path, keep: int = KEPT) -> None:
    """Drop all but the newest so many."""
    _drop(list(standing(folder))[keep:])


class _Hashing:
    """A file that is hashed as it is written. What the disk refuses is kept, for torch would not pass it on."""

    def __init__(self, file: BinaryIO, owner: str) -> None:
        self._file, self._hash = file, _hash(owner)
        self.refused: OSError | None = None

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        try:
            if self.refused is None:
                self._file.write(data)
        except OSError as error:
            self.refused = error
        return len(data)

    def flush(self) -> None:
        """Torch asks for it; closing the file is what counts."""

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:16]


def _write(path: Path, state: dict[str, Any], owner: str) -> str:
    """Write a state and return its digest: no second copy of it is made in memory."""
    with path.open("wb", buffering=0) as raw:
        file = _Hashing(raw, owner)
        torch.save(state, file)  # type: ignore[arg-type]  # it asks for no more than write and flush
    if file.refused is not None:
        raise file.refused
    return file.digest


def _digest(file: BinaryIO, owner: str) -> str:
    found = _hash(owner)
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()[:16]


def _hash(owner: str) -> hashlib._Hash:
    return hashlib.sha256(f"{len(owner)}:{owner}".encode())


def _report(path: Path) -> int:
    return int(path.name.partition("-")[0])


def _stale(folder: Path) -> Iterator[Path]:
    """What a process left that was killed while it wrote."""
    yield from folder.glob(".*.pt-*")


def _drop(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
