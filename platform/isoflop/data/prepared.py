"""A prepared set, opened for reading: its manifest, and its arrays memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from isoflop.data.files import hash_of
from isoflop.data.manifest import FILE, Manifest
from isoflop.data.source import SPLITS, Labels, Pixels
from isoflop.errors import DataError, Fault, did_you_mean
from isoflop.tasks import Kind, kind_of

COLUMNS: Final = ("task", "classes", "image", *SPLITS, "size", "digest", "source")
"""What is listed of a set beside its name."""
KEYS: Final = "keys.json"
"""The file that says where each image came from."""
GROUPS: Final = "groups.json"
"""The file that says which group each image belongs to, where there are groups."""


def images_file(split: str) -> str:
    """The file of a split's images (N, C, H, W) uint8."""
    return f"{split}_images.npy"


def labels_file(split: str) -> str:
    """The file of a split's labels."""
    return f"{split}_labels.npy"


@dataclass(frozen=True, slots=True)
class PreparedData:
    """A prepared set."""

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """What it is called."""
        return self.manifest.name

    @property
    def digest(self) -> str:
        """Hash of what decides the data."""
        return self.manifest.digest

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.manifest.classes

    @property
    def task(self) -> Kind:
        """What is asked of a model."""
        return kind_of(self.manifest.task)

    @property
    def outputs(self) -> int:
        """How many numbers a net's head has for an image."""
        return self.task.outputs(len(self.classes))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.manifest.image

    @property
    def mean(self) -> tuple[float, ...]:
        """Of each channel in the training split, for values in 0..1."""
        return self.manifest.mean

    @property
    def std(self) -> tuple[float, ...]:
        """Of each channel in the training split, for values in 0..1; 0 where a channel is constant."""
        return self.manifest.std

    def split(self, name: str) -> tuple[Pixels, Labels]:
        """A split's images (N, C, H, W) uint8 and labels, memory-mapped and read-only.

        Labels are int64 (N,), of a multi-label set multi-hot uint8 (N, classes). Raises `DataError` for an unknown
        split.
        """
        if name not in SPLITS:
            raise DataError(Fault("split", f"unknown split {name!r}", did_you_mean(name, SPLITS)))
        try:
            return (
                np.load(self.path / images_file(name), mmap_mode="r", allow_pickle=False),
                np.load(self.path / labels_file(name), mmap_mode="r", allow_pickle=False),
            )
        except (OSError, ValueError):
            raise DataError(Fault(str(self.path), "is damaged", f"prepare {self.name} again, with --replace")) from None

    def groups(self, name: str) -> Sequence[str | None]:
        """The group of each of a split's images, none for one without. Images of a group belong together."""
        if GROUPS not in self.manifest.files:
            return [None] * self.manifest.sizes[name]
        found: list[str | None] = json.loads((self.path / GROUPS).read_bytes())[name]
        return found

    def keys(self, name: str) -> Sequence[str]:
        """Where a split's images came from, in their stored order."""
        found: list[str] = json.loads((self.path / KEYS).read_bytes())[name]
        return found


def open_prepared(path: Path) -> PreparedData:
    """Open a prepared set by its folder. Raises `DataError` where there is none, or a file is missing or cut short."""
    prepared = PreparedData(path.absolute(), Manifest.read(path))
    faults = [
        Fault(str(path / name), what, f"prepare {prepared.name} again, with --replace")
        for name, facts in prepared.manifest.files.items()
        if (what := _wrong_size(path / name, facts["bytes"]))
    ]
    if faults:
        raise DataError(*faults)
    return prepared


def verify(path: Path) -> PreparedData:
    """Open a prepared set and hash every file again. Raises `DataError` naming each that is not as it was written."""
    prepared = open_prepared(path)
    faults = [
        Fault(str(path / name), "is not as it was written", f"prepare {prepared.name} again, with --replace")
        for name, facts in prepared.manifest.files.items()
        if hash_of(path / name) != facts["sha256"]
    ]
    if faults:
        raise DataError(*faults)
    return prepared


def listed(root: Path) -> list[dict[str, Any]]:
    """The prepared sets in a folder by name, as JSON values.

    `image` is channels, height and width as stored, `train`, `val` and `test` are numbers of images, `size` is bytes.
    What cannot be read says so under `source` and has none of the others.
    """
    return [{"name": path.parent.name, **_said(path.parent)} for path in sorted(root.glob(f"*/{FILE}"))]


def _said(folder: Path) -> dict[str, Any]:
    """What a prepared set says of itself."""
    try:
        found = open_prepared(folder).manifest
    except DataError as error:
        return dict.fromkeys(COLUMNS) | {"source": f"{error.faults[0].what}: {error.faults[0].remedy}"}
    return {
        "task": found.task,
        "classes": len(found.classes),
        "image": "x".join(map(str, found.image)),
        **{name: found.sizes[name] for name in SPLITS},
        "size": sum(facts["bytes"] for facts in found.files.values()),
        "digest": found.digest,
        "source": found.source["what"],
    }


def _wrong_size(path: Path, size: int) -> str:
    if not path.is_file():
        return "is missing"
    found = path.stat().st_size
    return "" if found == size else f"has {found} bytes, not {size}"
