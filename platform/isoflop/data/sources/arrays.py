"""A source whose images are in memory already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from isoflop.data.source import SHARE, Item, Labels, Pixels, Probe, Quarantined
from isoflop.errors import DataError, Fault


@dataclass(frozen=True, kw_only=True)
class ArraySource:
    """Equally large images (N, H, W, C) uint8 with labels (N,) or multi-hot (N, classes), by split.

    A single part without a split of its own is called the empty string.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    parts: Mapping[str, tuple[Pixels, Labels]]
    val_share: float = SHARE
    quarantined: tuple[Quarantined, ...] = ()

    def __post_init__(self) -> None:
        """Raises `DataError` where images and labels do not fit each other."""
        for split, (images, labels) in self.parts.items():
            if len(images) != len(labels):
                what = f"{len(images)} images and {len(labels)} labels"
                raise DataError(Fault(f"{self.name} {split}".strip(), what, "get the files anew"))
            if labels.ndim == 1 and len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
                what = f"labels {labels.min()} to {labels.max()} for {len(self.classes)} classes"
                raise DataError(Fault(f"{self.name} {split}".strip(), what, "get the files anew"))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every image; its key is its split and place."""
        return tuple(
            Item(key=f"{split or 'image'}/{place}", label=_label(label), split=split or None)
            for split, (_, labels) in self.parts.items()
            for place, label in enumerate(labels)
        )

    def fingerprint(self) -> str:
        """Hash of images, labels, splits and classes."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for split, (images, labels) in self.parts.items():
            digest.update(json.dumps([split, images.shape]).encode())
            digest.update(images.tobytes())
            digest.update(labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def probe(self, index: int) -> Probe:
        """Size and colours."""
        images, _ = self._place(index)
        return Probe(width=images.shape[2], height=images.shape[1], grey=images.shape[3] == 1)

    def read(self, index: int) -> Pixels:
        """An item's pixels (H, W, C)."""
        images, place = self._place(index)
        found: Pixels = images[place]
        return found

    def _place(self, index: int) -> tuple[Pixels, int]:
        for images, _ in self.parts.values():
            if index < len(images):
                return images, index
            index -= len(images)
        raise IndexError(index)


def _label(label: Any) -> int | tuple[int, ...]:
    """A class, or those that a row marks."""
    return int(label) if np.ndim(label) == 0 else tuple(np.flatnonzero(label).tolist())
