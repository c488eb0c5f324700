"""From a source to a prepared set: decode, split, write, describe."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isoflop.data.balance import skew
from isoflop.data.channels import statistics
from isoflop.data.duplicates import duplicates
from isoflop.data.files import Written, write_bytes, write_images, write_labels
from isoflop.data.labels import counts_of, labels_of, task_of
from isoflop.data.manifest import FILE, Manifest, Request, digest_of
from isoflop.data.names import check_name
from isoflop.data.prepared import GROUPS, KEYS, images_file, labels_file, open_prepared, verify
from isoflop.data.resolution import check_resolution
from isoflop.data.slot import slot
from isoflop.data.source import SPLITS, Labels, Source
from isoflop.data.sources.find import find_source
from isoflop.data.splits import Shares, split
from isoflop.data.staging import Progress, Staged, stage
from isoflop.errors import DataError, Fault, StateError
from isoflop.home import Home
from isoflop.tasks import USUAL, kind_of

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A set that is ready, and whether it was made just now."""

    path: Path
    manifest: Manifest
    fresh: bool

    def lines(self) -> list[str]:
        """What a person wants to know of it."""
        made, total = self.manifest, sum(self.manifest.sizes.values())
        if not self.fresh:
            return [f"{made.name} is prepared already from the same data: nothing to do (digest {made.digest})"]
        channels, height, width = made.image
        sizes = ", ".join(f"{name} {size}" for name, size in made.sizes.items())
        out = made.quarantined
        unlike = skew(kind_of(made.task), made.classes, made.counts["train"])
        words = f"{len(made.classes)} classes" + ("" if made.task == USUAL.name else f" ({made.task})")
        return [
            f"prepared {made.name}: {total} images, {words}, digest {made.digest}",
            f"  stored with {height} x {width} pixels, {'grey' if channels == 1 else 'colour'} ({made.resolution})",
            f"  {sizes} (seed {made.request.seed})",
            *([f"  in shards of {made.shard} images, read one after the other"] if made.shard else []),
            *([f"  left out {len(out)}, all named in {self.path / FILE}:"] if out else []),
            *[f"    {one.key}: {one.reason}" for one in out[:SHOWN]],
            *([f"    and {len(out) - SHOWN} more"] if len(out) > SHOWN else []),
            *([f"notice: {unlike}"] if unlike else []),
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """A set in a person's words: its name, and what it was prepared from."""

    name: str
    what: str


def prepare(
    what: str,
    *,
    root: Path,
    name: str | None = None,
    resolution: int | None = None,
    seed: int = 0,
    val: float | None = None,
    test: float | None = None,
    shard: int | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Prepare a known data set, a folder, a CSV or `fashion_mnist=FOLDER` as the folder `root/name`.

    Where it is there already, made by an equal request, nothing is done. `val` and `test` are shares of the images.
    With `shard` they are stored in shards of so many, mixed across the set; none leaves that to the set's size, 0 is
    no shards. Downloads are kept in the state folder. Raises `DataError`, with nothing left behind, where the source
    cannot be used or the name is taken by other data and `replace` is not set; `StateError` where `root` cannot be
    written.
    """
    check_resolution(resolution)
    source = find_source(what, cache=Home.find().path / "downloads")
    return prepare_source(
        source,
        what=what,
        root=root,
        name=name,
        resolution=resolution,
        seed=seed,
        val=val,
        test=test,
        shard=shard,
        replace=replace,
        progress=progress,
    )


def prepare_source(
    source: Source,
    *,
    root: Path,
    what: str = "",
    name: str | None = None,
    resolution: int | None = None,
    seed: int = 0,
    val: float | None = None,
    test: float | None = None,
    shard: int | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Prepare any source, as `prepare` does; `what` is how a person named it."""
    folder = root.absolute() / check_name(name or source.name)
    own = frozenset(item.split for item in source.items if item.split)
    shares = Shares.of(own, val, test, source.val_share)
    request = Request(
        source=source.fingerprint(), resolution=resolution, seed=seed, val=shares.val, test=shares.test, shard=shard
    )
    there = _there(folder, request, replace=replace)
    if there is not None:
        return there
    try:
        with slot(folder) as place:
            there = _there(folder, request, replace=replace)  # another process may have made it while we waited
            if there is not None:
                return there
            described = Described(name=folder.name, what=what or source.name)
            made = _fill(place.beside, source, request, described, progress)
            place.publish()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StateError(f"{root}: cannot be written ({reason}); free some room, or name another folder") from None
    return Prepared(folder, made, fresh=True)


def _there(folder: Path, request: Request, *, replace: bool) -> Prepared | None:
    """What is there already, where it is what is asked for; none where the place is free or may be taken."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    if not (folder / FILE).is_file():
        raise DataError(Fault(str(folder), "is there and holds no prepared set", "move it away, or pass --name"))
    try:
        # Who asks to replace it may do so because a file was changed; then sizes alone tell nothing.
        found = (verify if replace else open_prepared)(folder).manifest
    except DataError:
        if replace:
            return None
        raise
    if found.request == request:
        return Prepared(folder, found, fresh=False)
    if replace:
        return None
    what = f"is prepared already from something else ({found.request.changes(request)})"
    raise DataError(Fault(found.name, what, "pass --replace to take its place, or --name to stand beside it"))


def _fill(beside: Path, source: Source, request: Request, described: Described, progress: Progress | None) -> Manifest:
    """Write a whole set into the folder beside."""
    staged = stage(
        source,
        beside / "staged",
        resolution=request.resolution,
        shard=request.shard,
        seed=request.seed,
        progress=progress,
    )
    shares = Shares(val=request.val, test=request.test)
    labels = labels_of(staged.items, len(source.classes))
    homes = np.empty(len(staged.items), np.int8)
    ordered = [staged.items[at] for at in staged.order.tolist()]
    homes[staged.order] = split(ordered, shares, seed=request.seed, classes=source.classes)
    files = _write(beside, staged, labels, homes)
    channels, height, width = staged.images.shape[1:]
    classes, image, task = tuple(source.classes), (channels, height, width), task_of(source.items).name
    mean, std = statistics(staged.images, np.flatnonzero(homes == 0))
    manifest = Manifest(
        name=described.name,
        task=task,
        digest=digest_of(task, classes, image, {name: file for name, file in files.items() if name.endswith(".npy")}),
        classes=classes,
        image=image,
        resolution=staged.resolution.rule,
        mean=tuple(mean),
        std=tuple(std),
        counts={name: counts_of(labels[homes == at], len(classes)) for at, name in enumerate(SPLITS)},
        sizes={name: int((homes == at).sum()) for at, name in enumerate(SPLITS)},
        request=request,
        source={"kind": source.kind, "what": described.what},
        files={name: {"sha256": file.sha256, "bytes": file.bytes} for name, file in files.items()},
        duplicates=asdict(duplicates([staged.images], homes).counts),
        quarantined=staged.quarantined,
        shard=staged.shard,
    )
    (beside / "staged").unlink()
    write_bytes(beside / FILE, manifest.to_bytes())
    return manifest


def _write(folder: Path, staged: Staged, labels: Labels, homes: npt.NDArray[np.int8]) -> dict[str, Written]:
    files: dict[str, Written] = {}
    places = {name: np.flatnonzero(homes == index) for index, name in enumerate(SPLITS)}
    for name, rows in places.items():
        files[images_file(name)] = write_images(folder / images_file(name), staged.images, rows)
        files[labels_file(name)] = write_labels(folder / labels_file(name), labels[rows])
    keys = {name: [staged.items[at].key for at in rows.tolist()] for name, rows in places.items()}
    files[KEYS] = write_bytes(folder / KEYS, json.dumps(keys).encode())
    if any(item.group is not None for item in staged.items):
        groups = {name: [staged.items[at].group for at in rows.tolist()] for name, rows in places.items()}
        files[GROUPS] = write_bytes(folder / GROUPS, json.dumps(groups).encode())
    return files
