"""A source of image files, and the walk that finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from isoflop.data import images
from isoflop.data.names import clean
from isoflop.data.ordered import ordered
from isoflop.data.source import SHARE, Item, Pixels, Probe, Quarantined, UnreadableError
from isoflop.errors import DataError, Fault

SHOWN = 5
"""Faults of one kind that are shown one by one."""


@dataclass(frozen=True, kw_only=True)
class FileSource:
    """Image files with their labels."""

    name: str
    kind: str
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    paths: tuple[Path, ...]
    """Where each item is."""
    quarantined: tuple[Quarantined, ...] = ()
    val_share: float = SHARE

    def fingerprint(self) -> str:
        """Hash of classes, items and the content of every file."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for item, content in zip(self.items, self._contents(), strict=True):
            digest.update(json.dumps([item.key, item.label, item.split, item.group, content]).encode())
        digest.update(json.dumps([[q.key, q.reason] for q in self.quarantined]).encode())
        return digest.hexdigest()

    def probe(self, index: int) -> Probe:
        """Size and colours by the file's header. Raises `UnreadableError`."""
        return images.probe(self.paths[index])

    def read(self, index: int) -> Pixels:
        """An item's pixels (H, W, C). Raises `UnreadableError`."""
        return images.decode(images.load(self.paths[index]))

    def _contents(self) -> Iterator[str]:
        for chunk in ordered(self._content, len(self.paths)):
            yield from chunk

    def _content(self, index: int) -> str:
        try:
            return hashlib.sha256(images.load(self.paths[index])).hexdigest()
        except UnreadableError as error:
            return error.reason


@dataclass(frozen=True, slots=True)
class Found:
    """The files under a folder: images by name, and the others."""

    images: tuple[Path, ...]
    others: tuple[Path, ...]


def walk(folder: Path, root: Path) -> Found:
    """Every file under a folder but hidden ones, sorted. Raises `DataError` for links that `refused` finds."""
    files = sorted(_files(folder, refused(root)), key=lambda path: key_of(path, root))
    by_name = [path.suffix.lower() in images.SUFFIXES for path in files]
    return Found(
        images=tuple(path for path, yes in zip(files, by_name, strict=True) if yes),
        others=tuple(path for path, yes in zip(files, by_name, strict=True) if not yes),
    )


def refused(root: Path) -> Callable[[Path], bool]:
    """A test of paths: whether a hidden one is to be left out; a link out of the root, or to a folder, is an error."""
    real = root.resolve()

    def test(path: Path) -> bool:
        if path.name.startswith("."):
            return True
        if path.is_symlink():
            if not path.resolve().is_relative_to(real):
                raise DataError(Fault(str(path), "is a link that leaves the folder", "put the file itself there"))
            if path.is_dir():
                raise DataError(Fault(str(path), "is a link to a folder", "put the folder itself there"))
        return False

    return test


def key_of(path: Path, root: Path) -> str:
    """A file's name within its root, the same on every machine."""
    return clean(path.relative_to(root).as_posix())


def set_aside(paths: Sequence[Path], root: Path, reason: str) -> tuple[Quarantined, ...]:
    """Files that are left out for one reason."""
    return tuple(Quarantined(key=key_of(path, root), reason=reason) for path in paths)


def _files(folder: Path, skip: Callable[[Path], bool]) -> Iterator[Path]:
    try:
        entries = [path for path in folder.iterdir() if not skip(path)]
    except OSError as error:
        raise DataError(Fault(str(folder), f"cannot be read ({error.strerror})", "make it readable")) from None
    for path in entries:
        if path.is_dir():
            yield from _files(path, skip)
        else:
            yield path
