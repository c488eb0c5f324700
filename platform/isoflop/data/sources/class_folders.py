"""A folder of class folders, or one with train, val and test of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isoflop.data.names import class_names, clean, name_of
from isoflop.data.source import SPLIT_NAMES, Item
from isoflop.data.sources.files import FileSource, Found, key_of, refused, set_aside, walk
from isoflop.errors import DataError, Fault

NOT_AN_IMAGE = "not an image by its name"
BESIDE = "stands beside the class folders"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sorted:
    """A class folder, and the split that it stands in."""

    folder: Path
    split: str | None


def folder_source(root: Path) -> FileSource:
    """Images sorted into one folder for each class, in `train/`, `val/` and `test/` where there are such.

    Raises `DataError` where it is no such folder, holds fewer than two classes, or a link leaves it.
    """
    split_folders = _splits(root)
    parts = list(_parts(root, split_folders))
    classes = class_names((part.folder.name for part in parts), str(root))
    files = [walk(part.folder, root) for part in parts]
    found = sorted(_items(root, zip(parts, files, strict=True), classes), key=lambda pair: pair[0].key)
    loose = [path for folder in (root, *split_folders.values()) for path in _loose(folder, root)]
    aside = [
        *set_aside([path for part in files for path in part.others], root, NOT_AN_IMAGE),
        *set_aside(loose, root, BESIDE),
    ]
    return FileSource(
        name=name_of(root.resolve().name),
        kind="class folders with splits" if split_folders else "class folders",
        classes=classes,
        items=tuple(item for item, _ in found),
        paths=tuple(path for _, path in found),
        quarantined=tuple(sorted(aside, key=lambda one: one.key)),
    )


def _splits(root: Path) -> dict[str, Path]:
    """The folders of the source's own splits by our names, empty where it has none. Raises `DataError`."""
    folders = _folders(root)
    named: dict[str, Path] = {}
    for folder in folders:
        split = SPLIT_NAMES.get(folder.name.lower())
        if split in named:
            what = f"{named[split].name!r} and {folder.name!r} are both the {split} split"
            raise DataError(Fault(str(root), what, "put them into one folder"))
        if split:
            named[split] = folder
    others = [folder.name for folder in folders if SPLIT_NAMES.get(folder.name.lower()) is None]
    if "train" not in named or (others and len(named) == 1):
        return {}  # a class may well be called train
    if others:
        what = f"has {' and '.join(sorted(named))} folders and {others[0]!r} beside them"
        raise DataError(Fault(str(root), what, "move it elsewhere, or rename the splits if they are classes"))
    return named


def _parts(root: Path, splits: dict[str, Path]) -> Iterator[Sorted]:
    for split, folder in splits.items() if splits else ((None, root),):
        yield from (Sorted(folder=part, split=split) for part in _folders(folder))


def _items(root: Path, parts: Iterable[tuple[Sorted, Found]], classes: tuple[str, ...]) -> Iterator[tuple[Item, Path]]:
    labels = {name: label for label, name in enumerate(classes)}
    for part, found in parts:
        label = labels[clean(part.folder.name)]
        for path in found.images:
            yield Item(key=key_of(path, root), label=label, split=part.split), path


def _loose(folder: Path, root: Path) -> list[Path]:
    """Files that stand beside the class folders."""
    skip = refused(root)
    return [path for path in folder.iterdir() if not skip(path) and not path.is_dir()]


def _folders(folder: Path) -> list[Path]:
    skip = refused(folder)
    try:
        return sorted(path for path in folder.iterdir() if not skip(path) and path.is_dir())
    except OSError as error:
        raise DataError(Fault(str(folder), f"cannot be read ({error.strerror})", "make it readable")) from None
