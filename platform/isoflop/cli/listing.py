"""What `isoflop families` lists of each, and `isoflop space check` of what is solved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isoflop.cli.output import amount
from isoflop.families import Family
from isoflop.families.sizes import sizes

if TYPE_CHECKING:
    from isoflop.spec import Spec

SCALED = ("depth", "width", "resolution", "stem")
"""What can be set of every family."""


def full(row: Family) -> dict[str, Any]:
    """A family as JSON values: its knobs and their values, and the sizes of its published variants."""
    known = sizes(row.name)
    counts = [size.parameters for size in known.values()]
    return {
        "name": row.name,
        "paper": row.paper,
        "knobs": [*SCALED, *row.knobs],
        "values": {"stem": row.stems, **row.knobs},
        "parameters": {"smallest": min(counts), "largest": max(counts)} if counts else None,
        "variants": {key: asdict(size) for key, size in known.items() if key},
    }


def brief(row: Family) -> dict[str, str]:
    """A family as a line of a table."""
    counts = sorted({size.parameters for size in sizes(row.name).values()})
    return {
        "name": row.name,
        "parameters": " to ".join(amount(count) for count in (counts[:1] + counts[1:][-1:])) or "-",
        "variants": " ".join(row.variants) or "-",
        "knobs": " ".join(knob for knob in row.knobs if knob != "variant") or "-",
        "paper": row.paper,
    }


def solved(spec: Spec) -> Iterator[dict[str, str]]:
    """What is solved for each family of a spec, as lines beside those of its space."""
    if equal := spec.study.equal:
        for name in spec.space.families():
            what = f"{amount(equal.flops)} FLOPs within {equal.tolerance:.0%}"
            yield {"key": equal.key(name), "kind": "solved", "range": what, "when": f"model.family is {name}"}
