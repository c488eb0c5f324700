"""The published nets of every family that comes with the package: what they cost and see.

Writes docs/families.md, and platform/isoflop/families/sizes.json for `isoflop families`; with --json it only prints.

Time: about 2 minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from isoflop.cli.output import amount
from isoflop.config import ModelConfig
from isoflop.families import BUILT_IN, Family
from isoflop.families.sizes import FILE, Size
from isoflop.models import cost
from isoflop.models.reference import REFERENCES, reference_parameters
from isoflop.scaling import smallest

PAGE = Path(__file__).parent.parent / "docs" / "families.md"
HEAD = """# Families

Every published net of every family, as `isoflop describe FAMILY --variant VARIANT` counts it for colour images and
1,000 classes, beside the same net as torchvision or timm builds it where one of them does. FLOPs are those of one
image's forward pass, a multiply-add counted as two. The receptive field is that of one place of the last map on an
image without an end; "gates" says that squeeze-and-excitation or the like lets it know the whole image besides. The
smallest image is that of the stem for small images and of the published stem.

Written by `python -m benchmarks.families`; run it again after adding a family.
"""
COLUMNS = (
    "family",
    "variant",
    "parameters",
    "reference",
    "its parameters",
    "pixels",
    "FLOPs",
    "receptive field",
    "smallest image",
    "paper",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A published net."""

    family: Family
    variant: str
    size: Size
    field: int | None
    """Pixels of a side; none where it sees everything."""
    gates: bool


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [counted(row, variant) for row in BUILT_IN for variant in row.variants or ("",)]
    sizes = json.dumps(by_family(found), indent=2) + "\n"
    if options.json:
        print(sizes, end="")
        return
    FILE.write_text(sizes, encoding="utf-8")
    PAGE.write_text(f"{HEAD}\n{markdown(COLUMNS, lines(found))}\n", encoding="utf-8")
    print(f"{len(found)} nets of {len(BUILT_IN)} families in {PAGE} and {FILE}")


def counted(row: Family, variant: str) -> Counted:
    """A variant at its published shape."""
    pixels = row.pixels(variant)
    found = cost(ModelConfig.model_validate(row.canonical(variant)), image=(3, pixels, pixels), classes=1000)
    return Counted(
        family=row,
        variant=variant,
        size=Size(pixels=pixels, parameters=found.parameters, flops=found.flops),
        field=found.unbounded_field,
        gates=found.context,
    )


def by_family(found: Sequence[Counted]) -> dict[str, dict[str, Mapping[str, int]]]:
    """Sizes as `isoflop families` reads them."""
    sizes: dict[str, dict[str, Mapping[str, int]]] = {}
    for net in found:
        sizes.setdefault(net.family.name, {})[net.variant] = asdict(net.size)
    return sizes


def lines(found: Sequence[Counted]) -> Iterator[list[str]]:
    """The table's rows, what is a family's in its first."""
    told = ""
    for net in found:
        row, first = net.family, net.family.name != told
        told = row.name
        yield [
            row.name if first else "",
            net.variant or "-",
            f"{net.size.parameters:,}",
            *(of_library(row.name, net.variant) or ("-", "-")),
            str(net.size.pixels),
            amount(net.size.flops),
            field(net),
            smallest_images(row) if first else "",
            row.paper if first else "",
        ]


def field(net: Counted) -> str:
    """What one place of the last map sees."""
    if net.field is None:
        return "whole image"
    return f"{net.field:,}{' and gates' if net.gates else ''}"


def of_library(name: str, variant: str) -> tuple[str, str] | None:
    """The reference and how many parameters it has, none where neither library has the net."""
    if (name, variant) not in REFERENCES:
        return None
    return REFERENCES[name, variant], f"{reference_parameters(name, variant):,}"


def smallest_images(row: Family) -> str:
    """Pixels of a side, by stem."""
    stems = dict.fromkeys((row.stem, row.published or row.stem))
    return ", ".join(f"{smallest(row.name, stem)} at stem {stem}" for stem in stems)


def markdown(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()
