"""How large the published nets are, without building them.

The numbers are counted by `python -m benchmarks.families`, which writes them beside this module, so that listing
families loads no torch. Families of other packages have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("sizes.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Of a variant at its published shape."""

    pixels: int
    """Of a side."""
    parameters: int
    flops: int
    """Of one image's forward pass, a multiply-add counted as two."""


def sizes(name: str) -> Mapping[str, Size]:
    """A family's sizes by variant; one without variants has one, by the empty name."""
    return _read().get(name, {})


@cache
def _read() -> Mapping[str, Mapping[str, Size]]:
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: {key: Size(**size) for key, size in found.items()} for name, found in stored.items()}
