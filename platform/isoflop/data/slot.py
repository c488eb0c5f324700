"""The place of one prepared set: filled beside, renamed when whole, by one process at a time.

The half-made folder is `.NAME.preparing`. Whoever fills it holds a lock on it that ends with the process, so one that
nobody holds is stale, whatever happened to its maker. While a set is replaced the old one is `.NAME.replaced`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIX: Final = ".preparing"


@dataclass(frozen=True, slots=True)
class Slot:
    """A set's folder, and the one beside it that is being filled."""

    folder: Path
    beside: Path

    def publish(self) -> None:
        """Put the filled folder in its place, in one rename, or in two where it takes another's place."""
        old = _replaced(self.folder)
        if self.folder.is_dir():
            self.folder.replace(old)
        self.beside.replace(self.folder)
        _sync(self.folder.parent)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def slot(folder: Path) -> Iterator[Slot]:
    """Hold a set's place, waiting for whoever holds it. What is not published is removed at the end.

    Stale folders of other sets are removed too, and a replacement that was cut between its renames is undone.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    beside = folder.with_name(f".{folder.name}{SUFFIX}")
    held = _acquire(beside)
    try:
        _clear(beside)
        _recover(folder)
        yield Slot(folder, beside)
    finally:
        if beside.is_dir() and _is_at(held, beside):
            shutil.rmtree(beside, ignore_errors=True)
        os.close(held)


def sweep(root: Path) -> None:
    """Remove the half-made folders of processes that are gone."""
    for beside in root.glob(f".*{SUFFIX}"):
        held = _try(beside)
        if held is not None:
            shutil.rmtree(beside, ignore_errors=True)
            os.close(held)


def _acquire(beside: Path) -> int:
    """Make the folder and lock it. It may vanish between the two, by its former holder's rename or by `sweep`."""
    while True:
        beside.mkdir(exist_ok=True)
        try:
            held = os.open(beside, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(held, fcntl.LOCK_EX)
        if _is_at(held, beside):
            return held
        os.close(held)


def _try(beside: Path) -> int | None:
    """A lock on a folder that nobody holds, else none."""
    try:
        held = os.open(beside, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _is_at(held: int, path: Path) -> bool:
    """Whether an open folder is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _recover(folder: Path) -> None:
    old = _replaced(folder)
    if not old.is_dir():
        return
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.replace(folder)


def _replaced(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _sync(folder: Path) -> None:
    """Have a rename on the disk."""
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
