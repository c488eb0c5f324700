"""The files that a scaling study leaves: scaling.json, scaling.md and its plots."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isoflop.compound.comparison import compared
from isoflop.compound.findings import Family, Findings, Trained, points, span
from isoflop.compound.plots import draw
from isoflop.compound.text import markdown
from isoflop.fitting.crossing import Crossings
from isoflop.planning.scaling.ascent import Ascent
from isoflop.planning.scaling.row import Stage
from isoflop.scaling.extent import DIMENSIONS

MEASURED = "measured"
"""Under this key stands what no two runs have alike."""


def write_report(found: Findings, folder: Path) -> list[Path]:
    """Write all files, and say which."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = to_tree(found)
    files = {
        "scaling.json": json.dumps(tree, indent=2, sort_keys=True, allow_nan=False) + "\n",
        "scaling.md": markdown(found),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [*(folder / name for name in files), *draw(found, folder)]


def to_tree(found: Findings) -> dict[str, Any]:
    """Everything as JSON values; infinite and unknown numbers are null."""
    spec = found.plan.spec
    tree = {
        "study": found.study,
        "metric": found.metric,
        "data": {"name": spec.data, "digest": found.plan.digest},
        "fidelity": spec.fidelity.model_dump(mode="json"),
        "scale": found.plan.scale.model_dump(mode="json"),
        "families": {family.name: _family(family) for family in found.families},
        "crossings": [_crossing(*key, one) for key, one in found.crossings.items() if key[2] != "latency"],
        "equal_flops": [asdict(one) | {"best": one.best} for one in compared(found, "flops")],
        MEASURED: {
            "families": {family.name: [*_measured(family)] for family in found.families},
            "crossings": [_crossing(*key, one) for key, one in found.crossings.items() if key[2] == "latency"],
            "equal_latency": [asdict(one) | {"best": one.best} for one in compared(found, "latency")],
        },
    }
    plain: dict[str, Any] = _finite(tree)
    return plain


def _family(family: Family) -> dict[str, Any]:
    course = family.course
    return {
        "base": course.base.params(),
        "flops": course.ground.extent.flops,
        "exponents": {name: course.ground.exponents.of(name) for name in DIMENSIONS},
        "fixed": dict(course.design.fixed),
        "shapes": [_trained(one) for one in family.trained(Stage.FIT)],
        "fit": _fit(family.ascent),
        "climb": [_trained(one) for one in family.climb],
        "controls": [_trained(one) for one in family.trained(Stage.CONTROL)],
        "law": _law(family),
        "shares": [_trained(one) for one in family.trained(Stage.SHARE)],
    }


def _fit(fit: Ascent | str | None) -> dict[str, Any] | None:
    if isinstance(fit, Ascent):
        line = fit.climb.line
        growth = {name: getattr(line, name) for name in ("alpha", "beta", "gamma")}
        return {"response": fit.response.report(), "line": growth | {"start": line.start._asdict()}}
    return None if fit is None else {"reason": fit}


def _law(family: Family) -> dict[str, Any]:
    law = family.law
    if isinstance(law, str):
        return {"reason": law}
    bands = {name: asdict(getattr(law, name)) for name in ("a", "b", "c")}
    drawn = [{"flops": x} | asdict(band) for x, band in points(law, *span(family, "flops"))]
    return {
        **bands,
        "reference": law.reference,
        "falls": law.falls,
        "undetermined": [*law.undetermined],
        "curve": drawn,
    }


def _trained(one: Trained) -> dict[str, Any]:
    found = {
        "trial": one.row.number,
        "place": one.row.place,
        "name": one.row.name,
        **{name: getattr(one.placement.extent, name) for name in (*DIMENSIONS, "flops")},
        "logs": one.placement.found._asdict(),
        "target": one.placement.target,
        "residual": one.placement.residual,
        "parameters": one.parameters,
        "errors": [*one.errors],
    }
    if one.row.forecast:
        found |= {"forecast": dict(one.row.forecast), "missed": one.missed, "inside": one.inside}
    return found


def _measured(family: Family) -> Iterator[dict[str, Any]]:
    for one in (*family.climb, *family.trained(Stage.CONTROL)):
        yield {"trial": one.row.number, "latency": one.latency, "images_per_second": one.images_per_second}


def _crossing(first: str, second: str, axis: str, found: Crossings) -> dict[str, Any]:
    lower = {-1: first, 1: second, 0: None}
    return {
        "families": [first, second],
        "axis": axis,
        "from": found.low,
        "to": found.high,
        "better_before": lower[found.before],
        "better_after": lower[found.after],
        "ranges": [asdict(one.x) | {"proven": one.proven} for one in found.ranges],
    }


def _finite(value: Any) -> Any:
    """JSON has no words for infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    return value
