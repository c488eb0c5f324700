"""What a prepared set says of itself, as `manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from isoflop.data.files import Written
from isoflop.data.source import SPLITS, Quarantined
from isoflop.errors import DataError, Fault

SCHEMA: Final = 1
FILE: Final = "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What was asked for: equal requests give equal sets."""

    source: str
    """Fingerprint of the source's content."""
    resolution: int | None
    seed: int
    val: float
    test: float
    shard: int | None = None
    """Images of a shard; none leaves it to the size of the set, 0 is none."""

    def changes(self, other: Request) -> str:
        """In words, how another request differs from this one."""
        mine, others = asdict(self), asdict(other)
        names = [name for name in mine if mine[name] != others[name]]
        said = [f"{name} {mine[name]}, now {others[name]}" for name in names if name != "source"]
        return "; ".join((["other images or labels"] if "source" in names else []) + said)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A prepared set, but for its arrays."""

    schema: int = SCHEMA
    name: str
    task: str
    digest: str
    """Hash of what decides the data: task, classes and every array."""
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    """Channels, height and width as stored."""
    resolution: str
    """The rule that gave height and width."""
    mean: tuple[float, ...]
    """Of each channel in the training split, for values in 0..1."""
    std: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]
    """Images of each class, by split."""
    sizes: Mapping[str, int]
    """Images by split."""
    request: Request
    source: Mapping[str, str]
    files: Mapping[str, Mapping[str, Any]]
    """`sha256` and `bytes` by file name."""
    duplicates: Mapping[str, int]
    """Images whose pixels are another's: `within` their split, and `across` splits."""
    quarantined: tuple[Quarantined, ...]
    shard: int = 0
    """Images of a shard, in which they are stored in an order of their own; 0 where they stand as in the source."""

    def to_bytes(self) -> bytes:
        """The file's content: equal for equal sets that were named in the same words; no time is in it."""
        values = asdict(self)
        if not self.shard:
            del values["shard"]  # a set without shards says nothing of them, as before there were any
        if self.request.shard is None:
            del values["request"]["shard"]
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()

    def origin(self) -> dict[str, Any]:
        """What it was prepared from and how, and the hash of each file, as JSON values."""
        files = {name: facts["sha256"] for name, facts in self.files.items()}
        return {"what": self.source["what"], "request": asdict(self.request), "files": files}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest in a folder. Raises `DataError` where there is none or it cannot be used."""
        path = folder / FILE
        remedy = f"run: isoflop data prepare {folder.name}"
        try:
            values = json.loads(path.read_bytes())
            if values["schema"] != SCHEMA:
                raise DataError(
                    Fault(str(folder), f"has schema {values['schema']}, not {SCHEMA}", f"{remedy} --replace")
                )
            return cls._of(values)
        except FileNotFoundError:
            raise DataError(Fault(folder.name, "this data set was never prepared", remedy)) from None
        except OSError as error:
            raise DataError(Fault(str(path), f"cannot be read ({error.strerror})", "make it readable")) from None
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(Fault(str(path), "is damaged", f"{remedy} --replace")) from None

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> Self:
        channels, height, width = values["image"]
        counts = {split: tuple(values["counts"][split]) for split in SPLITS}
        sizes = values.get("sizes") or {split: sum(found) for split, found in counts.items()}  # none in older ones
        return cls(
            **{
                **values,
                "classes": tuple(values["classes"]),
                "image": (channels, height, width),
                "mean": tuple(values["mean"]),
                "std": tuple(values["std"]),
                "counts": counts,
                "sizes": {split: sizes[split] for split in SPLITS},
                "request": Request(**values["request"]),
                "quarantined": tuple(Quarantined(**one) for one in values["quarantined"]),
            }
        )


def digest_of(task: str, classes: tuple[str, ...], image: tuple[int, int, int], arrays: Mapping[str, Written]) -> str:
    """The data digest: 16 hexadecimal digits, equal on every machine for equal arrays, classes and task."""
    contents = {name: written.content for name, written in arrays.items()}
    text = json.dumps([task, classes, image, contents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
