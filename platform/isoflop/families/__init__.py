"""The table of families: what is known of each without building it, so it loads no torch.

One row a family. `models/` holds the builders; a test holds both against each other. Families of other packages come
through the entry point group `isoflop.families`, each naming a `Family`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from isoflop.errors import Fault, UnknownError, did_you_mean
from isoflop.families.catalogue import BUILT_IN as BUILT_IN
from isoflop.families.row import Family as Family
from isoflop.families.row import Scalar as Scalar

GROUP = "isoflop.families"


@cache
def families() -> Mapping[str, Family]:
    """Every known family by name: the built-in ones and those of installed packages."""
    found = {row.name: row for row in BUILT_IN}
    for entry in entry_points(group=GROUP):
        row = entry.load()
        found.setdefault(row.name, row)
    return found


def family(name: str) -> Family:
    """The row of one family. Raises `UnknownError` with the nearest name."""
    table = families()
    if name not in table:
        raise UnknownError(Fault("model.family", f"unknown family {name!r}", did_you_mean(name, table)))
    return table[name]
