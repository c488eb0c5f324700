"""The columns of a CSV that say what an image shows: one label, several in a cell, or a column of 0 and 1 a class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from isoflop.errors import Fault, did_you_mean

BESIDE: Final = ("path", "split", "group")
"""Columns that say something else."""
MARKS: Final[Mapping[str, bool]] = {"1": True, "1.0": True, "0": False, "0.0": False, "": False}
"""What stands in a column of a class."""
SEPARATOR: Final = re.compile("[|;]")


@dataclass(frozen=True, slots=True)
class One:
    """`label`: one name."""

    at: int

    def names(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The classes of an image."""
        return tuple(filter(None, (cell(cells, self.at),)))

    def faults(self, cells: Sequence[str], where: str) -> Iterator[Fault]:
        """What is wrong with a line."""
        if not self.names(cells):
            yield Fault(where, "no label", "give every image a label")


@dataclass(frozen=True, slots=True)
class Several:
    """`labels`: any number of names, `|` or `;` between them."""

    at: int

    def names(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The classes of an image, which may be none."""
        return tuple(dict.fromkeys(filter(None, map(str.strip, SEPARATOR.split(cell(cells, self.at))))))

    def faults(self, cells: Sequence[str], where: str) -> Iterator[Fault]:
        """Nothing can be wrong."""
        del cells, where
        yield from ()


@dataclass(frozen=True, slots=True)
class Marks:
    """A column a class, 1 where the image has it and 0 or nothing where not."""

    at: Mapping[str, int]

    def names(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The classes of an image, which may be none."""
        return tuple(name for name, at in self.at.items() if MARKS.get(cell(cells, at), False))

    def faults(self, cells: Sequence[str], where: str) -> Iterator[Fault]:
        """What is neither 0 nor 1."""
        for name, at in self.at.items():
            if cell(cells, at) not in MARKS:
                yield Fault(where, f"{name} is {cell(cells, at)!r}", "write 1 where the image has it, else 0")


Reader = One | Several | Marks


def reader_of(header: Sequence[str], first: Sequence[str]) -> Reader | Fault:
    """How the labels of a table are read, by its header and its first line; else what is wrong."""
    names = [name.strip().lower() for name in header]
    if "label" in names:
        return One(names.index("label"))
    if "labels" in names:
        return Several(names.index("labels"))
    marks = {name.strip(): at for at, name in enumerate(header) if name.strip() and names[at] not in BESIDE}
    if len(marks) > 1 and all(cell(first, at) in MARKS for at in marks.values()):
        return Marks(marks)
    remedy = "the first line must be path,label[,split][,group]; of several labels an image path,labels, or path and a "
    return Fault("", "has no column 'label'", f"{remedy}column of 0 and 1 a class; {_nearest(names)}")


def cell(cells: Sequence[str], at: int) -> str:
    """A cell without outer blanks, empty where the line is short."""
    return cells[at].strip() if at < len(cells) else ""


def _nearest(names: Sequence[str]) -> str:
    return did_you_mean("label", names or ("path", "label", "split", "group"))
