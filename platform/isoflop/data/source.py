"""The seam between where images come from and how they are prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.errors import DataError, Fault

Pixels: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.uint8]
"""Class indices (N,) int64, or of several labels an image multi-hot (N, classes) uint8."""

SPLITS: Final = ("train", "val", "test")
SPLIT_NAMES: Final = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""What people call splits, in lower case, and what we call them."""

SHARE: Final = 0.15
"""Share of the images for validation, and for the test, where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One image of a source, not yet read."""

    key: str
    """Its name within the source, such as `cats/1.png`; a source's items are in an order that is always the same."""
    label: int | tuple[int, ...]
    """Its class; where images may have any number of classes, those that it has, in order."""
    split: str | None = None
    """`train`, `val` or `test` where the source has splits of its own."""
    group: str | None = None
    """Items of one group never straddle splits."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Every class that it has."""
        return self.label if isinstance(self.label, tuple) else (self.label,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What an image's header says."""

    width: int
    height: int
    grey: bool

    @property
    def short(self) -> int:
        """Pixels of the shorter side."""
        return min(self.width, self.height)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """A file that is left out, and why."""

    key: str
    reason: str


class UnreadableError(DataError):
    """An image that cannot be read; the message says why, without its name."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(Fault("", reason))

    def __reduce__(self) -> tuple[type[UnreadableError], tuple[str]]:  # type: ignore[override]
        """Travel between processes with the reason."""
        return type(self), (self.reason,)


class Source(Protocol):
    """Labelled images, wherever they come from. Reading may happen in several threads at once."""

    @property
    def name(self) -> str:
        """What the prepared set is called where nobody says otherwise."""

    @property
    def kind(self) -> str:
        """What it is, in two or three words."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes, in the order of the labels."""

    @property
    def items(self) -> Sequence[Item]:
        """Every image, in an order that is always the same."""

    @property
    def quarantined(self) -> Sequence[Quarantined]:
        """What was left out before anything was read."""

    @property
    def val_share(self) -> float:
        """Share of the training images for validation where nobody says otherwise."""

    def fingerprint(self) -> str:
        """Hash of the content: equal content gives an equal fingerprint on every machine."""

    def probe(self, index: int) -> Probe:
        """Size and colours of an item, decoding as little as can be. Raises `UnreadableError`."""

    def read(self, index: int) -> Pixels:
        """An item's pixels (H, W, C), C being 1 or 3, upright. Raises `UnreadableError`."""
