"""How far from the middle shapes must stand for a fit to tell how a family grows.

On surfaces whose answers are known (`surfaces.py`), for shapes that have some factor more of the FLOPs that one
dimension brings (`scale.arm` of a spec), with noise as trainings on Fashion-MNIST have it: the share of draws in which
alpha, beta and gamma are told, the share of their 95 % intervals that hold the truth, and the intervals' median width
in logs. The skewed surfaces are no bowls: what long arms may be fooled by.

Time: 3 minutes of a core.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace

import numpy as np

from benchmarks.report import table
from benchmarks.surfaces import Truth, design, trainings
from isoflop.fitting.response import Response, respond

ARMS = (1.75, 2.5, 3.5)
BOWL = Truth(
    name="bowl",
    exponents=(1.14, 2.0, 1.64),
    growth=(1.2, 1.2, 1.1),
    start=(0.0, 0.25, -0.25),
    bowl=(0.15, 0.45, 0.3),
    seeds=0.037,
)
SURFACES = (BOWL, replace(BOWL, name="skewed", skew=0.3), replace(BOWL, name="much skewed", skew=0.6))


def main() -> None:
    """Draw, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="20 draws")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    draws = 20 if options.quick else options.draws
    found = [measure(truth, arm, draws) for truth in SURFACES for arm in ARMS]
    if options.json:
        print(json.dumps(found))
        return
    print(f"{draws} draws a row")
    formats = {"told": ".0%", "hold the truth": ".1%", "width": ".3f"}
    print(table([*found[0]], [[format(cell, formats.get(name, "")) for name, cell in row.items()] for row in found]))


def measure(truth: Truth, arm: float, draws: int) -> dict[str, str | float]:
    """What an arm tells of a surface."""
    shapes, log_flops = design(truth, arm=arm)
    fits = [_fit(truth, shapes, log_flops, draw) for draw in range(draws)]
    told = [fit for fit in fits if fit.determined]
    held = [_held(truth, fit) for fit in told]
    widths = [np.log(one.high / one.low) for fit in told for one in fit.growth if one.high and one.low]
    return {
        "surface": truth.name,
        "arm": arm,
        "told": len(told) / draws,
        "hold the truth": float(np.mean(held)) if held else math.nan,
        "width": float(np.median(widths)) if widths else math.nan,
    }


def _fit(truth: Truth, shapes: np.ndarray, log_flops: np.ndarray, draw: int) -> Response:
    data = trainings(truth, shapes, log_flops, np.random.default_rng((2, draw)))
    return respond(data.shapes, data.log_flops, data.values, data.shape_of)


def _held(truth: Truth, fit: Response) -> float:
    """Share of a fit's intervals of alpha, beta and gamma that hold the truth."""
    ends = [(np.log(one.low), np.log(one.high)) for one in fit.growth if one.low and one.high]
    return float(np.mean([low <= answer <= high for (low, high), answer in zip(ends, truth.v, strict=True)]))


if __name__ == "__main__":
    main()
