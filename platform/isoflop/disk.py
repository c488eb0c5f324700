"""Files that stand whole or not at all, and what is said when the disk refuses one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from isoflop.errors import StateError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is being written beside its place."""

    path: Path

    def publish(self, path: Path) -> Path:
        """Give it its place in the same folder, in one rename. File and name are on the disk when this returns."""
        _sync(self.path)
        self.path.replace(path)
        _sync(path.parent)
        return path


@contextmanager
def draft(folder: Path, name: str) -> Iterator[Draft]:
    """A file to write in a folder, which is made; what is not published is removed.

    Raises `StateError` where the disk refuses.
    """
    beside = folder / f".{name}-{os.getpid()}"
    try:
        with refusals(folder / name):
            folder.mkdir(parents=True, exist_ok=True)
            yield Draft(beside)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Raise `StateError` where the disk refuses what is written to a path: it is full, gone or not ours."""
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        if error.errno in FULL:
            raise StateError(f"the disk is full: {path} cannot be written ({text}); make room and resume") from None
        raise StateError(f"{path}: cannot be written ({text})") from None


def _sync(path: Path) -> None:
    """Have what was written to a file or a folder on the disk."""
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
