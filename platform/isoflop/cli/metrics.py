"""What `isoflop metrics` shows of a training's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isoflop.tasks import VAL, metric_of

PAIRS = 10
"""Pairs of classes taken for each other that are shown."""


def head(report: Mapping[str, Any]) -> Iterator[str]:
    """The whole split, in lines."""
    yield f"{report['run']} on {report['split']}: {report['images']:,} images, {report['task']}"
    yield ", ".join(f"{name} {_number(name, value)}" for name, value in report["metrics"].items())
    macro = ", ".join(f"{name} {value:.1%}" for name, value in report["macro"].items())
    yield f"mean over classes: {macro}; calibration error {report['calibration']['error']:.1%}"


def worst(report: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Rows of classes, the lowest F1 first, of equals the one with more images."""
    rows: Sequence[Mapping[str, Any]] = sorted(report["classes"], key=lambda row: (row["f1"], -row["images"]))
    shares = [name for name in ("precision", "recall", "f1", "average_precision") if name in rows[0]]
    return [
        {name: row[name] for name in ("class", "images", "said")}
        | {name.replace("_", " "): "-" if row[name] is None else f"{row[name]:.1%}" for name in shares}
        for row in rows[:count]
    ]


def tail(report: Mapping[str, Any], count: int) -> Iterator[str]:
    """What is left out, and the classes most often taken for each other."""
    if len(report["classes"]) > count:
        yield f"and {len(report['classes']) - count} classes more, with an F1 as high or higher"
    for pair in report["confused"][:PAIRS]:
        yield f"{pair['images']:>6,} x {pair['class']} taken for {pair['said']}"
    if not report["confused"]:
        yield "no class was taken for another"


def _number(name: str, value: float) -> str:
    metric = metric_of(VAL + name)
    return f"{value:.2%}" if metric is None or metric.share else f"{value:.4f}"
