"""A CSV of path and label or labels, with a split or a group where there is one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isoflop.data.names import class_names, clean, name_of
from isoflop.data.source import SPLIT_NAMES, Item
from isoflop.data.sources.columns import BESIDE, Marks, One, Reader, cell, reader_of
from isoflop.data.sources.files import SHOWN, FileSource
from isoflop.errors import DataError, Fault, did_you_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table."""

    line: int
    path: str
    labels: tuple[str, ...]
    split: str
    group: str
    faults: tuple[Fault, ...]
    """What is wrong with its labels."""


def table_source(table: Path) -> FileSource:
    """The images that a CSV with the columns path, label and, if wanted, split and group names.

    Where images have several labels, the column is called labels, with `|` or `;` between them, or there is a column of
    0 and 1 for each class. Relative paths count from the CSV's folder. A row without a split counts as one of train.
    Raises `DataError` with every fault, each with its line.
    """
    reader, rows = _read(table)
    _check(table, rows)
    root = table.absolute().parent
    known = reader.at if isinstance(reader, Marks) else {name for row in rows for name in row.labels}
    classes = class_names(known, str(table))
    labels = {name: label for label, name in enumerate(classes)}
    own = any(row.split for row in rows)
    found = sorted(
        (
            (
                Item(
                    key=clean(row.path),
                    label=_label(reader, sorted(labels[clean(name)] for name in row.labels)),
                    split=SPLIT_NAMES[row.split or "train"] if own else None,
                    group=row.group or None,
                ),
                root / row.path,
            )
            for row in rows
        ),
        key=lambda pair: (pair[0].key, pair[0].classes, pair[0].split or ""),
    )
    return FileSource(
        name=name_of(table.stem),
        kind="table of files",
        classes=classes,
        items=tuple(item for item, _ in found),
        paths=tuple(path for _, path in found),
    )


def _label(reader: Reader, found: list[int]) -> int | tuple[int, ...]:
    return found[0] if isinstance(reader, One) else tuple(found)


def _read(table: Path) -> tuple[Reader, list[Row]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            filled = [(lines.line_num, cells) for cells in lines if any(one.strip() for one in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise DataError(Fault(str(table), f"cannot be read ({reason})", "give a CSV of path,label")) from None
    places = _places(table, header)
    reader = reader_of(header, filled[0][1] if filled else ())
    if isinstance(reader, Fault):
        raise DataError(Fault(str(table), reader.what, reader.remedy))
    return reader, [_row(table, reader, places, line, cells) for line, cells in filled]


def _places(table: Path, header: Sequence[str]) -> dict[str, int]:
    """Where the columns are that say something else than labels."""
    names = [name.strip().lower() for name in header]
    if "path" not in names:
        remedy = f"the first line must be path,label[,split][,group]; {did_you_mean('path', names or BESIDE)}"
        raise DataError(Fault(str(table), "has no column 'path'", remedy))
    return {name: names.index(name) for name in BESIDE if name in names}


def _row(table: Path, reader: Reader, places: Mapping[str, int], line: int, cells: Sequence[str]) -> Row:
    values = {name: cell(cells, at) for name, at in places.items()}
    return Row(
        line=line,
        path=values["path"],
        labels=reader.names(cells),
        split=values.get("split", "").lower(),
        group=values.get("group", ""),
        faults=tuple(reader.faults(cells, f"{table}:{line}")),
    )


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
    yield from row.faults
    if row.split and row.split not in SPLIT_NAMES:
        yield Fault(where, f"unknown split {row.split!r}", did_you_mean(row.split, SPLIT_NAMES))
    if row.path and _leaves(table.absolute().parent, row.path):
        yield Fault(where, f"{row.path} is a link that leaves the CSV's folder", "put the file itself there")


def _leaves(root: Path, path: str) -> bool:
    """Whether a path that stands within the CSV's folder is, by a link, a file elsewhere."""
    if Path(path).is_absolute() or ".." in Path(path).parts:
        return False  # the table names a place elsewhere openly
    return not (root / path).resolve().is_relative_to(root.resolve())
