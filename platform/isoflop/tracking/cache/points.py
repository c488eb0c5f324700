"""Rows of metric histories, gathered into curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from isoflop.tracking.cache.run import Curve
from isoflop.tracking.projection import SEQ


def curves_of(rows: Iterable[tuple[Any, ...]]) -> Mapping[str, Curve]:
    """Curves by run, from rows of run, name, step and value; of a step that comes twice the later row counts."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for run, name, step, value in rows:
        if name != SEQ and step:
            found.setdefault(run, {}).setdefault(name, {})[int(step)] = value
    return {run: {name: sorted(points.items()) for name, points in many.items()} for run, many in found.items()}
