"""Does each recipe do its job? Small controlled trainings, the same seeds with it and without.

A recipe is one function in one module here, `(Lab) -> Row`; the table has a line for each of `RECIPES`, with the paired
difference over the seeds and its 95 % interval. This exits with 1 where an interval is not above 0.

Time: about 8 minutes on one core, 4 with --quick (fewer seeds, shorter trainings).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.recipes.adversarial import adversarial
from benchmarks.recipes.averaging import exponential, stochastic
from benchmarks.recipes.distillation import distillation
from benchmarks.recipes.recomputing import recomputed
from benchmarks.recipes.row import Lab, Recipe, Row, timed
from benchmarks.recipes.selfsupervised import self_supervised
from benchmarks.recipes.weighting import effective, sampled, weighted
from benchmarks.report import table
from isoflop.data import prepare
from isoflop.statistics import Interval

RECIPES: Mapping[str, Recipe] = {
    "adversarial": adversarial,
    "selfsupervised": self_supervised,
    "distillation": distillation,
    "ema": exponential,
    "swa": stochastic,
    "weights": weighted,
    "effective": effective,
    "sampling": sampled,
    "checkpointing": recomputed,
}

FIRST = 10
"""The first seed: settings were chosen on those before it."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=f"of {', '.join(RECIPES)}; default: all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=None)
    options = parser.parse_args()
    if strange := set(options.recipes) - RECIPES.keys():
        parser.error(f"unknown: {', '.join(sorted(strange))}")
    seeds = range(FIRST, FIRST + (options.seeds or (3 if options.quick else 5)))
    with tempfile.TemporaryDirectory() as folder:
        prepare("digits", root=Path(folder) / "data")
        lab = Lab(folder=Path(folder), seeds=seeds, quick=options.quick)
        rows = [timed(RECIPES[name], lab) for name in options.recipes or RECIPES]
    print(json.dumps([row.to_dict() for row in rows]) if options.json else lines(rows))
    sys.exit(0 if all(row.holds for row in rows) else 1)


def lines(rows: list[Row]) -> str:
    """The table, and under it what each row is."""
    head = ("recipe", "metric", "without", "with", "difference", "seeds", "holds", "seconds")
    cells = [
        (
            row.recipe,
            row.metric,
            f"{row.without.mean:.3f}",
            f"{row.with_it.mean:.3f}",
            _text(row.difference),
            str(row.difference.n),
            "yes" if row.holds else "NO",
            f"{row.seconds:.0f}",
        )
        for row in rows
    ]
    return "\n".join([table(head, cells), *(f"{row.recipe}: {row.note}" for row in rows)])


def _text(found: Interval) -> str:
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


if __name__ == "__main__":
    main()
