"""Every image of a source, decoded once, to a file of rows: memory stays small however large the source."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import psutil

from isoflop.data.images import fit, quiet
from isoflop.data.ordered import ordered
from isoflop.data.resolution import Resolution
from isoflop.data.source import Item, Pixels, Probe, Quarantined, Source, UnreadableError
from isoflop.data.splits import Places
from isoflop.errors import DataError, Fault
from isoflop.seeds import derive

Progress: TypeAlias = Callable[[int, int], None]

MEMORY: Final = 0.5
"""Share of this machine's memory above which a set is stored in shards."""
SHARD: Final = 2**25
"""Bytes of a shard: a disk reads it in one run, and some of them mixed hold enough images."""
READ: Final = 2**21
"""Bytes of images that a thread reads before they are written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """The images that could be read, as stored, with their items in the same order."""

    images: Pixels
    """(N, C, H, W), memory-mapped."""
    items: Sequence[Item]
    quarantined: tuple[Quarantined, ...]
    resolution: Resolution
    order: Places
    """Where each of them stands here, in the order of the source."""
    shard: int
    """Images of a shard where they stand mixed, 0 where they stand as in the source."""


def stage(
    source: Source, path: Path, *, resolution: int | None, shard: int | None, seed: int, progress: Progress | None
) -> Staged:
    """Decode a source into a file, for shards in an order drawn from the seed: so it is read in one run later.

    Raises `DataError` where nothing in it can be read.
    """
    with quiet():
        probes, unread = _probe(source)
        if not probes:
            raise DataError(
                Fault(source.name, "holds no readable image", "give JPEG, PNG, WEBP, BMP, GIF, PPM or TIFF")
            )
        chosen = Resolution.of(probes.values(), resolution)
        channels = 1 if all(probe.grey for probe in probes.values()) else 3
        shape = (channels, chosen.pixels, chosen.pixels)
        size = _shard(shard, images=len(probes), image=math.prod(shape))
        indices = _mixed(list(probes), seed) if size else list(probes)
        kept, broken = _decode(source, indices, path, shape, progress)
    if not kept:
        raise DataError(
            Fault(source.name, "holds no readable image", f"the first: {broken[0].key}: {broken[0].reason}")
        )
    return Staged(
        images=np.memmap(path, np.uint8, "r", shape=(len(kept), *shape)),
        items=[source.items[index] for index in kept],
        quarantined=tuple(sorted((*source.quarantined, *unread, *broken), key=lambda one: one.key)),
        resolution=chosen,
        order=np.argsort(np.array(kept)),
        shard=size,
    )


def _shard(asked: int | None, *, images: int, image: int) -> int:
    """Images of a shard: as asked, else 32 MiB of them where all are more than half of this machine's memory."""
    if asked is not None:
        return asked
    return max(1, SHARD // image) if images * image > MEMORY * psutil.virtual_memory().total else 0


def _mixed(indices: Sequence[int], seed: int) -> list[int]:
    """Indices in an order drawn from a seed: raw words of PCG64, as in `splits`."""
    words = np.random.PCG64(derive(seed, "shards")).random_raw(len(indices))
    return [indices[at] for at in np.argsort(words, kind="stable").tolist()]


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
        for chunk in ordered(read, len(indices), chunk=max(1, READ // math.prod(shape))):
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
