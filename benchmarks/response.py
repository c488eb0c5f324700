"""Coverage and width of the intervals of a fit of compound scaling, on surfaces whose answers are known.

For each surface (`surfaces.py`) and each of alpha, beta, gamma and the best depth, width and resolution at the base's
FLOPs: the share of draws whose 95 % interval holds the truth, and its median width in logs among the draws that
have one. "told" is the share of draws with an interval for all of them; where there is none, none misses. Flat surfaces
have no answer: every interval there is an invention. The methods:

  ours            regions after Fieller and Box & Hunter, their limit calibrated by a bootstrap (isoflop.fitting)
  F               the same with the quantile of F as the limit
  delta           the delta method with Student's t: always finite
  percentile      percentile bootstrap over residuals of shapes: always finite
  seeds           percentile bootstrap over the seeds of each shape: always finite
  through base    ours, the line made to pass the base

Time: 5 minutes of a core.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.report import table
from benchmarks.surfaces import DOUBLING, Trainings, Truth, design, trainings
from isoflop.fitting.bottom import bottom, rows
from isoflop.fitting.response import Response, respond
from isoflop.fitting.trainings import Trainings as Given
from isoflop.statistics import Floats, quantile

Ends = tuple[float, float] | None
"""An interval in logs; None where nothing is said."""
PARAMETERS = ("alpha", "beta", "gamma", "depth", "width", "resolution")
DRAWN = 400
MEASURED = Truth(
    name="as measured",
    exponents=(0.99, 1.35, 1.56),
    growth=(1.15, 1.24, 1.19),
    start=(-0.5, 0.12, 0.04),
    bowl=(0.31, 0.08, 0.53),
    seeds=0.049,
    shapes=0.027,
)
"""What was fitted to EfficientNet on Fashion-MNIST, with the noise of its seeds and shapes (docs/scaling.md)."""
SURFACES = (
    MEASURED,
    Truth(name="resnet", exponents=(1.0, 2.0, 2.0), growth=(1.2, 1.1, 1.15)),
    Truth(name="vit", exponents=(1.0, 2.0, 2.3), growth=(1.1, 1.25, 1.05), bowl=(0.5, 0.6, 1.2), start=(0.0, 0.1, 0.1)),
    Truth(name="depthwise", exponents=(1.0, 1.6, 2.0), growth=(1.3, 1.1, 1.1), bowl=(0.5, 0.9, 0.9), shapes=0.015),
    Truth(name="base is best", exponents=(1.0, 2.0, 2.0), growth=(1.2, 1.1, 1.15), start=(0.0, 0.0, 0.0)),
    Truth(name="weak", exponents=(1.0, 2.0, 2.0), growth=(1.2, 1.1, 1.15), bowl=(0.2, 0.4, 0.4)),
    Truth(name="resolution held", exponents=(1.0, 2.0, 2.0), growth=(1.2, 1.1, 1.15), resolution=False),
    Truth(name="flat in resolution", exponents=(1.0, 2.0, 2.0), growth=(1.2, 1.1, 1.15), is_flat=True),
    Truth(name="flat", exponents=(1.0, 2.0, 2.0), growth=(1.2, 1.1, 1.15), bowl=(0.0, 0.0, 0.0)),
)


def main() -> None:
    """Draw, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="20 draws")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    draws = 20 if options.quick else options.draws
    found = [row for truth in SURFACES for row in measure(truth, draws)]
    if options.json:
        print(json.dumps(found))
        return
    head = ("surface, method", "told", "one", *PARAMETERS)
    print(f"{draws} draws: share that holds the truth / median width in logs; one: determined in a single direction")
    print(table(head, [_cells(row) for row in found]))


def measure(truth: Truth, draws: int) -> Iterator[dict[str, object]]:
    """Coverage and width of every method on a surface."""
    shapes, log_flops = design(truth)
    is_flat = truth.is_flat or not any(truth.bowl)
    answers = np.concatenate([truth.v, truth.x0])
    ends = defaultdict[str, list[list[Ends]]](list)
    single = 0
    for draw in range(draws):
        generator = np.random.default_rng((1, draw))
        data = trainings(truth, shapes, log_flops, generator)
        fitted = respond(data.shapes, data.log_flops, data.values, data.shape_of)
        single += len(fitted.directions) > 1 and sum(one.determined for one in fitted.directions) == 1
        ends["ours"].append(_ours(fitted))
        ends["through base"].append(_through_base(data))
        for name, found in _others(fitted, data, generator).items():
            ends[name].append(found)
    wanted = [n for n in range(6) if truth.resolution or n % 3 < 2]
    for name, intervals in ends.items():
        asked = wanted if name != "through base" else wanted[: len(wanted) // 2]
        yield {
            "surface": truth.name,
            "method": name,
            "draws": draws,
            "told": float(np.mean([all(one[n] is not None for n in asked) for one in intervals])),
            "one_direction": single / draws if name == "ours" else None,
            **{PARAMETERS[n]: _score([one[n] for one in intervals], None if is_flat else answers[n]) for n in asked},
        }


def _score(ends: Sequence[Ends], answer: float | None) -> dict[str, float | None]:
    """Share of intervals that hold an answer, of all and of those that there are, and the median width."""
    there = [one for one in ends if one is not None]
    width = float(np.median([one[1] - one[0] for one in there])) if there else None
    if answer is None:
        return {"coverage": None, "coverage_if_told": None, "width": width}
    missed = sum(not one[0] <= answer <= one[1] for one in there)
    told = 1 - missed / len(there) if there else None
    return {"coverage": 1 - missed / len(ends), "coverage_if_told": told, "width": width}


def _ours(fitted: Response) -> list[Ends]:
    """Intervals that a fit reports, in logs."""
    estimates = (*fitted.growth, *fitted.optimum)
    return [
        None if one.low is None or one.high is None else (float(np.log(one.low)), float(np.log(one.high)))
        for one in estimates
    ]


def _through_base(data: Trainings) -> list[Ends]:
    """The same of a line through the base, whose start is no estimate."""
    fitted = respond(data.shapes, data.log_flops, data.values, data.shape_of, through_base=True)
    return [*_ours(fitted)[:3], None, None, None]


def _others(fitted: Response, data: Trainings, generator: np.random.Generator) -> dict[str, list[Ends]]:
    """Intervals by the other methods."""
    ends: dict[str, list[Ends]] = {name: [None] * 6 for name in ("F", "delta", "percentile", "seeds")}
    body, split = fitted.fitted, fitted.coordinates
    reach = quantile(0.95, body.freedom)
    shapes_drawn = body.bootstrap(generator, DRAWN).theta
    seeds_drawn = _seeds(fitted, data, generator)
    is_bowl = float(np.linalg.eigvalsh(body.hessian)[0]) > 0
    for n in range(6):
        if n % 3 not in split.varied:
            continue
        growth, place = n < 3, split.varied.index(n % 3)
        lead = body.moves if growth else body.starts
        assert lead is not None
        scale = DOUBLING if growth else 1.0
        given = float(split.along[place]) * (DOUBLING if growth else -fitted.exponents.offset)
        slope = split.across[place]
        found = bottom(body, lead=lead)
        centre, half = given + scale * float(slope @ found.place), reach * scale * found.error(slope)
        ends["delta"][n] = (centre - half, centre + half)
        for name, theta in (("percentile", shapes_drawn), ("seeds", seeds_drawn)):
            drawn = rows(theta, body.q, lead=lead)
            places = -np.linalg.solve(drawn[:, 1:], drawn[:, 0, :, None])[..., 0]
            low, high = np.quantile(given + scale * (places @ slope), [0.025, 0.975])
            ends[name][n] = (float(low), float(high))
        length = float(np.linalg.norm(slope))
        if is_bowl and (region := found.interval(slope / length, reach**2)) is not None:
            ends["F"][n] = (given + scale * length * region[0], given + scale * length * region[1])
    return ends


def _seeds(fitted: Response, data: Trainings, generator: np.random.Generator) -> Floats:
    """Coefficients (draws, n) of fits to seeds drawn with replacement from those of each shape."""
    given = Given.of(data.shapes, data.log_flops, data.values, data.shape_of)
    body, logs = fitted.fitted, np.log(given.values)
    pull = np.linalg.pinv(body.design * np.sqrt(body.means.counts)[:, None])
    means = np.empty((DRAWN, len(given.shapes)))
    for shape in range(len(given.shapes)):
        own = logs[given.shape_of == shape]
        means[:, shape] = own[generator.integers(0, len(own), (DRAWN, len(own)))].mean(axis=1)
    return np.asarray((means * np.sqrt(body.means.counts)) @ pull.T)


def _cells(row: dict[str, object]) -> list[str]:
    """A row of the table."""
    single = row["one_direction"]
    cells = [f"{row['surface']}, {row['method']}", f"{row['told']:.0%}", "" if single is None else f"{single:.0%}"]
    for name in PARAMETERS:
        score = row.get(name)
        if not isinstance(score, dict) or score["width"] is None:
            cells.append("-")
        else:
            share = "none" if score["coverage"] is None else f"{score['coverage']:.1%}"
            cells.append(f"{share} / {score['width']:.3f}")
    return cells


if __name__ == "__main__":
    main()
