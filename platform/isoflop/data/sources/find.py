"""From what a person names to a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from isoflop.data.source import Source
from isoflop.data.sources.attributes import attributes_source
from isoflop.data.sources.class_folders import folder_source
from isoflop.data.sources.digits import digits_source
from isoflop.data.sources.downloads import cifar_source, fashion_source
from isoflop.data.sources.idx import holds_idx, idx_source
from isoflop.data.sources.synthetic import synthetic_source
from isoflop.data.sources.table import table_source
from isoflop.errors import DataError, Fault, did_you_mean

KNOWN: Final[Mapping[str, Callable[[Path], Source]]] = {
    "digits": lambda _: digits_source(),
    "digits_attributes": lambda _: attributes_source(),
    "fashion_mnist": fashion_source,
    "cifar10": lambda cache: cifar_source("cifar10", cache),
    "cifar100": lambda cache: cifar_source("cifar100", cache),
    "synthetic": lambda _: synthetic_source(),
}
"""Sources by name; each is given the folder for downloads."""

IDX_PREFIX: Final = "fashion_mnist="


def find_source(what: str, *, cache: Path) -> Source:
    """A known name, `fashion_mnist=FOLDER`, a folder or a CSV. A known name goes before a folder of that name.

    Raises `DataError` where it is none of these, or cannot be used.
    """
    if what in KNOWN:
        return KNOWN[what](cache)
    if what.startswith(IDX_PREFIX):
        return idx_source(_folder(what.removeprefix(IDX_PREFIX)), name="fashion_mnist")
    path = Path(what)
    if path.is_file() and path.suffix.lower() == ".csv":
        return table_source(path)
    return _source_in(_folder(what))


def _source_in(folder: Path) -> Source:
    if (folder / "manifest.json").is_file() and (folder / "train_images.npy").is_file():
        raise DataError(Fault(str(folder), "is a prepared set already", "name what it was prepared from"))
    return idx_source(folder) if holds_idx(folder) else folder_source(folder)


def _folder(text: str) -> Path:
    path = Path(text)
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(Fault(text, "is neither a folder nor a CSV", "give a folder of class folders, or a .csv"))
    remedy = f"{did_you_mean(text, KNOWN)}; or give a folder or a CSV"
    raise DataError(Fault(text, "is no known data set and no folder", remedy))
