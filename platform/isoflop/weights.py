"""Pretrained weights in the state folder: files that are named by what they hold.

A file's name is `FAMILY-VARIANT-HASH.safetensors`, the last the first digits of its SHA-256, as in torchvision's file
names. So a configuration that names weights names their content, on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open

from isoflop.errors import DataError, Fault, UnknownError

DIGITS = 8
"""Hexadecimal digits of the hash in a name."""
HEADER = "isoflop"
"""The one key of a file's header: safetensors writes several in any order, which would change the hash."""


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What stands in a file's header."""

    family: str
    variant: str
    channels: int
    """Of the images that the weights were trained on."""
    classes: int
    pixels: int
    """Of a side."""
    source: str
    """Where they came from."""

    def header(self) -> dict[str, str]:
        """As the header of a safetensors file."""
        return {HEADER: json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a file. Raises `DataError` where it has no such header."""
        try:
            with safe_open(path, framework="numpy") as file:
                header: Mapping[str, str] = file.metadata() or {}
            return cls(**json.loads(header[HEADER]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise DataError(Fault(str(path), "is torn or holds no weights that were added", "remove it")) from None

    def name(self, path: Path) -> str:
        """What the weights in a file are called, by its content."""
        return f"{self.family}-{self.variant}-{digest(path)[:DIGITS]}"


def digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, name: str) -> None:
    """Raise `UnknownError` where no file stands, and `DataError` where it does not hold what the name says."""
    again = "remove it and add it again: isoflop weights add"
    if not path.is_file():
        raise UnknownError(Fault(str(path), f"there are no weights {name!r} here", "run: isoflop weights add"))
    found = digest(path)[:DIGITS]
    if found != name.rpartition("-")[2]:
        raise DataError(
            Fault(str(path), f"is torn or was changed: it has hash {found}, weights {name!r} do not", again)
        )


def listed(folder: Path) -> list[dict[str, Any]]:
    """What stands in a folder: name, size in bytes, and what each file says of itself; `source` is empty where none."""
    rows = []
    for path in sorted(folder.glob("*.safetensors")):
        row: dict[str, Any] = {"name": path.stem, "size": path.stat().st_size}
        try:
            row |= asdict(About.read(path))
        except DataError:
            row |= dict.fromkeys(About.__slots__) | {"source": "unreadable: remove it"}
        rows.append(row)
    return rows
