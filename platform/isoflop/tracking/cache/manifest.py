"""What the cache is made of: its segments and what each study comes to, in one file that is replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
"""Version of the cache: one of another version is made anew."""
NAME = "manifest.json"


class TornError(Exception):
    """The cache cannot be used as it stands: it is made anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A Parquet file that never changes."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a study comes to, worked out when it changed."""

    run: str
    """Its own run."""
    id: str
    cursor: int
    """The number up to which all of it is here."""
    since: int
    """The generation of its oldest rows that count."""
    row: Mapping[str, Any]
    """The study as `rows.study_row` has it."""
    opened: Mapping[str, int]
    """For how many trainings the test set was opened, by data digest."""
    results: tuple[Mapping[str, Any], ...] = ()
    """Its finalists, as `results.to_json` has them."""
    luck: Mapping[str, Any] | None = None
    """The luck in its best score, where it is a search that has finalists."""


@dataclass(kw_only=True, slots=True)
class Manifest:
    """Which files count, and what stands in them."""

    source: str
    generation: int = 0
    """How often the cache was synced with something new."""
    studies: dict[str, Summary] = field(default_factory=dict)
    """By the studies' own runs, oldest first."""
    runs: list[Segment] = field(default_factory=list)
    curves: list[Segment] = field(default_factory=list)

    def find(self, study: str) -> Summary | None:
        """A study by its id."""
        return next((one for one in self.studies.values() if one.id == study), None)


def load(folder: Path, source: str) -> Manifest:
    """The manifest of a cache, an empty one where there is none. Raises `TornError` where it cannot be used."""
    path = folder / NAME
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Manifest(source=source)
    except (OSError, ValueError) as error:
        raise TornError(str(error)) from error
    try:
        if (told["format"], told["source"]) != (FORMAT, source):
            raise TornError("it is of another version or source")
        return Manifest(
            source=source,
            generation=told["generation"],
            studies={run: Summary(**one | {"results": tuple(one["results"])}) for run, one in told["studies"].items()},
            runs=_whole(folder, told["runs"]),
            curves=_whole(folder, told["curves"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise TornError(str(error)) from error


def save(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest."""
    told = {
        "format": FORMAT,
        "source": manifest.source,
        "generation": manifest.generation,
        "studies": {run: asdict(one) for run, one in manifest.studies.items()},
        "runs": [asdict(one) for one in manifest.runs],
        "curves": [asdict(one) for one in manifest.curves],
    }
    beside = folder / f".{NAME}-{os.getpid()}"
    beside.write_text(json.dumps(told))
    beside.replace(folder / NAME)


def _whole(folder: Path, told: list[dict[str, Any]]) -> list[Segment]:
    """Segments, each as large as it was written. Raises `TornError`."""
    found = [Segment(**one) for one in told]
    for one in found:
        try:
            size = (folder / one.name).stat().st_size
        except OSError as error:
            raise TornError(str(error)) from error
        if size != one.bytes:
            raise TornError(f"{one.name} has {size} bytes instead of {one.bytes}")
    return found
