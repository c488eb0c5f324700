"""Slices of a split: a table that says to which part of the world each image belongs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from isoflop.errors import Fault, InputError

COLUMNS = ("image", "slice")


def read_slices(path: Path, keys: Sequence[str]) -> list[str | None]:
    """The slice of each image of a split, none for those that the table leaves out.

    A CSV with columns `image` and `slice`; an image is its key, as the prepared set has it, or its place in the split.
    Raises `InputError` for a file that cannot be read, lacks a column, or names no image of the split.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            rows = [] if missing else [(row["image"], row["slice"]) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Fault(str(path), f"cannot be read ({error})", "give a CSV in UTF-8")) from None
    if missing:
        raise InputError(Fault(str(path), f"has no column {missing[0]}", f"its first line is {','.join(COLUMNS)}"))
    places = {str(place): place for place in range(len(keys))} | {key: place for place, key in enumerate(keys)}
    found: list[str | None] = [None] * len(keys)
    known = [(places[image], name) for image, name in rows if image in places]
    if not known:
        raise InputError(Fault(str(path), "names no image of this split", f"images are called like {keys[0]}, or 0"))
    for place, name in known:
        found[place] = name or None
    return found
