"""How healthy a data set is: class balance, duplicates, unreadable files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from isoflop.data.balance import skew
from isoflop.data.duplicates import duplicates, near
from isoflop.data.labels import named
from isoflop.data.manifest import FILE
from isoflop.data.preparation import prepare
from isoflop.data.prepared import PreparedData, open_prepared
from isoflop.data.source import SPLITS, Pixels, Quarantined
from isoflop.data.staging import Progress
from isoflop.errors import Fault
from isoflop.tasks import Kind

EXAMPLES: Final = 20
"""Pairs of a kind that are named."""
SHOWN: Final = 5
"""Of anything, how many are shown as lines."""
FEW: Final = 10
"""Images of a class in a split, below which its share of hits says little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two images that are equal or nearly, each as `split: file`, with their classes."""

    first: str
    second: str
    classes: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What `isoflop data check` found."""

    name: str
    digest: str
    image: tuple[int, int, int]
    """Channels, height and width as stored."""
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    """Images of each class, by split."""
    sizes: Mapping[str, int]
    """Images by split."""
    exact_within: int
    """Images that repeat another of their split, as stored."""
    exact_across: int
    """Images of val or test that repeat one of a split before theirs."""
    near_across: int
    """Images of val or test that nearly repeat one of a split before theirs."""
    conflicts: int
    """Images with the pixels of another that has another label."""
    examples: Mapping[str, tuple[Pair, ...]]
    """The first pairs of each kind: `exact`, `near`, `conflict`."""
    quarantined: tuple[Quarantined, ...]
    notices: tuple[Fault, ...]
    """What a person should know, each with a remedy; empty for a healthy set."""

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to notice."""
        return not self.notices

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {**asdict(self), "healthy": self.healthy}

    def lines(self) -> list[str]:
        """The report for a person."""
        channels, height, width = self.image
        width_of = max(len("class"), *(len(name) for name in self.classes))
        table = [f"  {'class':<{width_of}}" + "".join(f"{split:>8}" for split in self.counts)]
        for label, name in enumerate(self.classes):
            table.append(f"  {name:<{width_of}}" + "".join(f"{counts[label]:>8}" for counts in self.counts.values()))
        table.append(f"  {'all':<{width_of}}" + "".join(f"{size:>8}" for size in self.sizes.values()))
        return [
            f"{self.name}: {len(self.classes)} classes, {channels} x {height} x {width}, digest {self.digest}",
            *table,
            (
                f"duplicates: {self.exact_within} within a split, {self.exact_across} across splits, "
                f"{self.near_across} nearly equal across splits; {self.conflicts} under several labels"
            ),
            *(
                f"  {kind}: {pair.first} = {pair.second}"
                for kind, pairs in self.examples.items()
                for pair in pairs[:SHOWN]
            ),
            f"unreadable or left out: {len(self.quarantined)}",
            *(f"  {one.key}: {one.reason}" for one in self.quarantined[:SHOWN]),
            *(f"notice: {fault}" for fault in self.notices),
            *(["healthy: nothing to notice"] if self.healthy else []),
        ]


def check(what: str | Path, *, progress: Progress | None = None) -> Report:
    """Examine a prepared set by its folder, or whatever `prepare` takes, which is prepared in a temporary folder.

    Duplicates are looked for among the images as stored. Raises `DataError` where there is nothing to examine.
    """
    if (Path(what) / FILE).is_file():
        return examine(open_prepared(Path(what)))
    with tempfile.TemporaryDirectory(prefix="isoflop-check-") as folder:
        return examine(open_prepared(prepare(str(what), root=Path(folder), progress=progress).path))


def examine(prepared: PreparedData) -> Report:
    """Examine a prepared set."""
    pairs, totals = _pairs(prepared)
    labels = np.concatenate([prepared.split(split)[1] for split in SPLITS])
    names = [f"{split}: {key}" for split in SPLITS for key in prepared.keys(split)]

    def pair(a: int, b: int) -> Pair:
        kinds = (named(labels[a], prepared.classes), named(labels[b], prepared.classes))
        return Pair(first=names[a], second=names[b], classes=kinds)

    made = prepared.manifest
    return Report(
        name=made.name,
        digest=made.digest,
        image=made.image,
        classes=made.classes,
        counts=made.counts,
        sizes=made.sizes,
        **totals,
        examples={kind: tuple(pair(a, b) for a, b in found[:EXAMPLES]) for kind, found in pairs.items()},
        quarantined=made.quarantined,
        notices=(
            *_balance(prepared.task, made.classes, made.counts),
            *_doubles(**totals),
            *_left_out(made.quarantined),
        ),
    )


def _pairs(prepared: PreparedData) -> tuple[dict[str, list[tuple[int, int]]], dict[str, int]]:
    """Pairs by kind, as places in the whole set, and how many images there are of each kind."""
    parts = [prepared.split(split) for split in SPLITS]
    homes = np.repeat(np.arange(len(SPLITS), dtype=np.int8), [len(labels) for _, labels in parts])
    labels = np.concatenate([labels for _, labels in parts])
    found = duplicates([images for images, _ in parts], homes)
    repeated = [(int(found.twin[at]), int(at)) for at in np.flatnonzero(found.twin != np.arange(len(homes)))]
    exact = [(a, b) for a, b in repeated if homes[a] != homes[b]]
    conflict = [(a, b) for a, b in repeated if (labels[a] != labels[b]).any()]
    told = {b for _, b in exact}
    nearly = [(a, b) for a, b in _near([images for images, _ in parts]) if b not in told]
    totals = {
        "exact_within": found.counts.within,
        "exact_across": found.counts.across,
        "near_across": len({b for _, b in nearly}),
        "conflicts": len(conflict),
    }
    return {"exact": exact, "near": nearly, "conflict": conflict}, totals


def _near(parts: Sequence[Pixels]) -> list[tuple[int, int]]:
    """Nearly equal images of different splits, as places in the whole set."""
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    return [
        (starts[a] + one, starts[b] + other)
        for a, b in combinations(range(len(parts)), 2)
        for one, other in near(parts[a], parts[b])
    ]


def _balance(task: Kind, classes: Sequence[str], counts: Mapping[str, tuple[int, ...]]) -> Iterator[Fault]:
    unlike = skew(task, classes, counts["train"])
    if unlike:
        yield unlike
    for split in ("val", "test"):
        few = [name for name, count in zip(classes, counts[split], strict=True) if count < FEW]
        if few:
            what = f"{len(few)} classes have fewer than {FEW} images, {few[0]!r} first"
            yield Fault(split, what, f"collect more, or prepare with a larger --{split}")


def _doubles(*, exact_within: int, exact_across: int, near_across: int, conflicts: int) -> Iterator[Fault]:
    if exact_across:
        what = f"{exact_across} images of val or test are in a split before theirs too"
        yield Fault("leakage", what, "take the copies out, or give both one group in a CSV")
    if near_across:
        what = f"{near_across} images of val or test nearly equal one of a split before theirs"
        yield Fault("leakage", what, "look at the pairs; give those of one origin one group in a CSV")
    if conflicts:
        yield Fault("labels", f"{conflicts} images have the pixels of one with another label", "correct the labels")
    if exact_within:
        yield Fault("duplicates", f"{exact_within} images repeat one of their split", "take the copies out")


def _left_out(out: Sequence[Quarantined]) -> Iterator[Fault]:
    if out:
        yield Fault("files", f"{len(out)} were left out, {out[0].key} first", "mend or remove them and prepare again")
