"""Data sets that torchvision downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from isoflop.data.source import Labels, Pixels
from isoflop.data.sources.arrays import ArraySource
from isoflop.data.sources.idx import holds_idx, idx_source
from isoflop.errors import DataError, Fault

DEBIAN: Final = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package of Fashion-MNIST puts its IDX files."""


class Download(Protocol):
    """What we use of one of torchvision's data sets."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes."""

    @property
    def data(self) -> Any:
        """Images (N, H, W, C) uint8."""

    @property
    def targets(self) -> Sequence[int]:
        """Labels (N,)."""


Downloader: TypeAlias = Callable[[str, Path, bool], Download]
"""A set by torchvision's name, the folder for its files, and whether the training split is meant."""


def torchvision_download(name: str, folder: Path, train: bool) -> Download:  # noqa: FBT001 - the seam's own form
    """One of torchvision's data sets, downloaded if it is not there. Raises `DataError` where that fails."""
    import torchvision

    try:
        found: Download = getattr(torchvision.datasets, name)(folder, train=train, download=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        remedy = "try again with a network, or prepare a folder of your own"
        raise DataError(Fault(name, f"cannot be downloaded ({reason})", remedy)) from None
    return found


def cifar_source(name: str, cache: Path, download: Downloader = torchvision_download) -> ArraySource:
    """`cifar10` or `cifar100`: 32 x 32 pixels in colour, with a test split of their own; 1 in 10 of train validates."""
    train, test = (download(name.upper(), cache, part) for part in (True, False))
    parts = {"train": _arrays(train), "test": _arrays(test)}
    return ArraySource(
        name=name, kind="torchvision's download", classes=tuple(train.classes), parts=parts, val_share=1 / 10
    )


def fashion_source(cache: Path, download: Downloader = torchvision_download, installed: Path = DEBIAN) -> ArraySource:
    """Fashion-MNIST out of the installed IDX files, else of earlier downloaded ones, else downloaded."""
    raw = cache / "FashionMNIST" / "raw"
    if not holds_idx(installed) and not holds_idx(raw):
        download("FashionMNIST", cache, True)  # noqa: FBT003 - as above
    return idx_source(installed if holds_idx(installed) else raw, name="fashion_mnist")


def _arrays(found: Download) -> tuple[Pixels, Labels]:
    return np.asarray(found.data, np.uint8), np.asarray(found.targets, np.int64)
