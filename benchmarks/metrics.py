"""What metrics cost: milliseconds for all that every report has, and for each alone, least of several runs.

Time: half a minute.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.report import table
from isoflop.evaluation.measure import measure
from isoflop.tasks import CLASSIFICATION, MULTILABEL, Kind

CASES = ((CLASSIFICATION, 10_000, 10), (CLASSIFICATION, 50_000, 1000), (MULTILABEL, 50_000, 100))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="the small case alone, one run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cases = CASES[:1] if options.quick else CASES
    rows = [row(*case, runs=1 if options.quick else options.runs) for case in cases]
    if options.json:
        print(json.dumps(rows))
        return
    print(table(["task", "logits", "every report", "the last"], [list(map(_text, one.values())) for one in rows]))


def row(kind: Kind, images: int, classes: int, *, runs: int) -> dict[str, object]:
    """One case: milliseconds of what every report has, and of what the last one has."""
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((images, classes), dtype=np.float32)
    labels = generator.integers(0, classes, images)
    if kind is MULTILABEL:
        labels = (generator.random((images, classes)) < 0.1).astype(np.uint8)
    asked: Sequence[tuple[str, ...] | None] = ((), None)
    often, last = (min(_once(kind, logits, labels, names) for _ in range(runs)) for names in asked)
    return {"task": kind.name, "logits": f"{images} x {classes}", "every_report_ms": often, "last_ms": last}


def _once(kind: Kind, logits: np.ndarray, labels: np.ndarray, asked: tuple[str, ...] | None) -> float:
    began = time.perf_counter()
    measure(kind, logits, labels, asked=asked)
    return 1000 * (time.perf_counter() - began)


def _text(value: object) -> str:
    return f"{value:,.1f} ms" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
