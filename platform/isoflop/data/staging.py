"""Every image of a source, decoded once, to a file of rows: memory stays small however large the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from isoflop.data.images import fit, quiet
from isoflop.data.ordered import ordered
from isoflop.data.resolution import Resolution
from isoflop.data.source import Item, Pixels, Probe, Quarantined, Source, UnreadableError
from isoflop.errors import DataError, Fault

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """The images that could be read, as stored, with their items in the same order."""

    images: Pixels
    """(N, C, H, W), memory-mapped."""
    items: Sequence[Item]
    quarantined: tuple[Quarantined, ...]
    resolution: Resolution


def stage(source: Source, path: Path, *, resolution: int | None, progress: Progress | None) -> Staged:
    """Decode a source into a file. Raises `DataError` where nothing in it can be read."""
    with quiet():
        probes, unread = _probe(source)
        if not probes:
            raise DataError(
                Fault(source.name, "holds no readable image", "give JPEG, PNG, WEBP, BMP, GIF, PPM or TIFF")
            )
        chosen = Resolution.of(probes.values(), resolution)
        channels = 1 if all(probe.grey for probe in probes.values()) else 3
        kept, broken = _decode(source, list(probes), path, (channels, chosen.pixels, chosen.pixels), progress)
    if not kept:
        raise DataError(
            Fault(source.name, "holds no readable image", f"the first: {broken[0].key}: {broken[0].reason}")
        )
    return Staged(
        images=np.memmap(path, np.uint8, "r", shape=(len(kept), channels, chosen.pixels, chosen.pixels)),
        items=[source.items[index] for index in kept],
        quarantined=tuple(sorted((*source.quarantined, *unread, *broken), key=lambda one: one.key)),
        resolution=chosen,
    )


def _probe(source: Source) -> tuple[dict[int, Probe], list[Quarantined]]:
    """Headers by item, and the items without a readable one."""

    def probe(index: int) -> Probe | UnreadableError:
        try:
            return source.probe(index)
        except UnreadableError as error:
            return error

    found: dict[int, Probe] = {}
    unread = []
    for index, one in enumerate(one for chunk in ordered(probe, len(source.items)) for one in chunk):
        if isinstance(one, Probe):
            found[index] = one
        else:
            unread.append(Quarantined(key=source.items[index].key, reason=one.reason))
    return found, unread


def _decode(
    source: Source, indices: Sequence[int], path: Path, shape: tuple[int, int, int], progress: Progress | None
) -> tuple[list[int], list[Quarantined]]:
    """Write what can be read, in order; return its indices, and what cannot be read."""

    def read(place: int) -> Pixels | UnreadableError:
        try:
            return fit(source.read(indices[place]), resolution=shape[1], channels=shape[0])
        except UnreadableError as error:
            return error

    kept, broken, done = [], [], 0
    with path.open("wb") as file:
        for chunk in ordered(read, len(indices)):
            for one in chunk:
                if isinstance(one, UnreadableError):
                    broken.append(Quarantined(key=source.items[indices[done]].key, reason=one.reason))
                else:
                    file.write(one.data)
                    kept.append(indices[done])
                done += 1
            if progress:
                progress(done, len(indices))
    return kept, broken
