"""A CSV of path and label, with a split or a group where there is one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from isoflop.data.names import class_names, clean, name_of
from isoflop.data.source import SPLIT_NAMES, Item
from isoflop.data.sources.files import SHOWN, FileSource
from isoflop.errors import DataError, Fault, did_you_mean

COLUMNS = ("path", "label", "split", "group")
NEEDED = ("path", "label")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table."""

    line: int
    path: str
    label: str
    split: str
    group: str


def table_source(table: Path) -> FileSource:
    """The images that a CSV with the columns path, label and, if wanted, split and group names.

    Relative paths count from the CSV's folder. A row without a split counts as one of train. Raises `DataError` with
    every fault, each with its line.
    """
    rows = list(_rows(table))
    _check(table, rows)
    root = table.absolute().parent
    classes = class_names((row.label for row in rows), str(table))
    labels = {name: label for label, name in enumerate(classes)}
    own = any(row.split for row in rows)
    found = sorted(
        (
            (
                Item(
                    key=clean(row.path),
                    label=labels[clean(row.label)],
                    split=SPLIT_NAMES[row.split or "train"] if own else None,
                    group=row.group or None,
                ),
                root / row.path,
            )
            for row in rows
        ),
        key=lambda pair: (pair[0].key, pair[0].label, pair[0].split or ""),
    )
    return FileSource(
        name=name_of(table.stem),
        kind="table of files",
        classes=classes,
        items=tuple(item for item, _ in found),
        paths=tuple(path for _, path in found),
    )


def _rows(table: Path) -> Iterator[Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            places = _columns(table, next(reader, []))
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    values = {name: cells[at].strip() if at < len(cells) else "" for name, at in places.items()}
                    yield Row(
                        line=reader.line_num,
                        path=values["path"],
                        label=values["label"],
                        split=values.get("split", "").lower(),
                        group=values.get("group", ""),
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise DataError(Fault(str(table), f"cannot be read ({reason})", "give a CSV of path,label")) from None


def _columns(table: Path, header: Sequence[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        remedy = f"the first line must be path,label[,split][,group]; {did_you_mean(missing[0], names or COLUMNS)}"
        raise DataError(Fault(str(table), f"has no column {missing[0]!r}", remedy))
    return {name: names.index(name) for name in COLUMNS if name in names}


def _check(table: Path, rows: Sequence[Row]) -> None:
    faults = [fault for row in rows for fault in _faults(table, row)]
    if len(faults) > SHOWN:
        faults = [*faults[:SHOWN], Fault(str(table), f"{len(faults) - SHOWN} more faults like these")]
    if not rows:
        faults = [Fault(str(table), "names no image", "add lines of path,label")]
    if faults:
        raise DataError(*faults)


def _faults(table: Path, row: Row) -> Iterator[Fault]:
    where = f"{table}:{row.line}"
    if not row.path:
        yield Fault(where, "no path", "name a file, relative to the CSV's folder")
    if not row.label:
        yield Fault(where, "no label", "give every image a label")
    if row.split and row.split not in SPLIT_NAMES:
        yield Fault(where, f"unknown split {row.split!r}", did_you_mean(row.split, SPLIT_NAMES))
    if row.path and _leaves(table.absolute().parent, row.path):
        yield Fault(where, f"{row.path} is a link that leaves the CSV's folder", "put the file itself there")


def _leaves(root: Path, path: str) -> bool:
    """Whether a path that stands within the CSV's folder is, by a link, a file elsewhere."""
    if Path(path).is_absolute() or ".." in Path(path).parts:
        return False  # the table names a place elsewhere openly
    return not (root / path).resolve().is_relative_to(root.resolve())
