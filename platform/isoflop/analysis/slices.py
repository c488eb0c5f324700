"""Slices of a split: which images belong together, by a table that a person gives or by a number of each image."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.errors import Fault, InputError

Slicing: TypeAlias = Mapping[str, npt.NDArray[np.bool_]]
"""Which images each slice holds, by its name. An image may be in no slice, and in several."""


def read_slices(path: Path, keys: Sequence[str]) -> dict[str, Slicing]:
    """The slices of each column of a table but the first, by the column's name.

    A CSV whose first line names the columns. The first column says which image: its key, as the prepared set has it, or
    its place in the split; images that the table leaves out, or leaves empty, are in no slice. Raises `InputError` for
    a file that cannot be read, has one column alone, or names no image of the split.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Fault(str(path), f"cannot be read ({error})", "give a CSV in UTF-8")) from None
    if len(head) < 2:
        raise InputError(Fault(str(path), "has no column of slices", "its first line is image,slice or like that"))
    places = {str(place): place for place in range(len(keys))} | {key: place for place, key in enumerate(keys)}
    known = {places[row[0]]: row for row in rows if row and row[0] in places}
    if not known:
        raise InputError(Fault(str(path), "names no image of this split", f"images are called like {keys[0]}, or 0"))
    return {
        column: of_names([known[one][at] if one in known and at < len(known[one]) else "" for one in range(len(keys))])
        for at, column in enumerate(head)
        if at
    }


def of_names(names: Sequence[str]) -> Slicing:
    """Slices of the name of each image, empty for images of no slice."""
    given = np.asarray(names)
    return {name: given == name for name in sorted(set(names) - {""})}


def of_quantiles(values: npt.NDArray[np.floating], parts: int) -> Slicing:
    """So many slices of as many images each, by a number that each image has; fewer where many have the same.

    Names are a slice's place and its least and largest number, the lowest slice first.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, parts + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, values, side="left")
    masks = [mask for one in range(len(edges) + 1) if (mask := place == one).any()]
    ends = [(float(values[mask].min()), float(values[mask].max())) for mask in masks]
    return {
        f"{one} of {len(masks)}: {low:.3g} to {high:.3g}": mask
        for one, (mask, (low, high)) in enumerate(zip(masks, ends, strict=True), start=1)
    }
