"""How often bands hold what they promise, and how wide they are, each method on the same draws.

Laws: errors of 7 sizes in half steps of compute with 3 seeds each, from power laws that fall to 8 % at the last size,
with noise as measured (0.15 points of accuracy at 6 to 12 % of error are 1.5 to 3 % of it); in some, sizes lie off the
law by 1 % too. Predicted is the mean of 3 new seeds half a step and a whole one beyond. Crossings: two such laws that
cross at a known place. Curves: real trainings (trained_curves.json), whose last report is predicted from earlier ones.
A band of 95 % should hold 95 of 100; 500 draws stray by 1 point.

Time: about 6 minutes of one core, 1 with --quick (50 draws).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import optimize

from benchmarks.recorded import SCHEDULES, recorded
from benchmarks.report import table
from isoflop.fitting.band import Band, Curve, Floats
from isoflop.fitting.constant_gain import fit_constant_gain
from isoflop.fitting.crossing import crossings
from isoflop.fitting.laws import STEEPEST, Laws
from isoflop.fitting.learning_curve import extrapolate
from isoflop.fitting.monotone import fit_monotone
from isoflop.fitting.power_law import fit_power_law
from isoflop.fitting.sizes import take_sizes
from isoflop.seeds import derive
from isoflop.statistics import quantile

DRAWS, QUICK, RESAMPLES, SEEDS = 500, 50, 200, 3
LAST_ERROR = 0.08
FLOPS = [1e6 * 2 ** (n / 2) for n in range(7)]
STEPS = {"half a step": 0.5, "a step": 1.0}
CROSSINGS = {"early": 0.7, "in the middle": 2.0, "after the last size": 3.3}
"""Doublings above the smallest size."""
CROSSING_NOISE = 0.02

FINISHED, REPORTED = (0, 6, 12, 25), (3, 4, 5, 6, 7, 8)
"""Finished trials to go by, and reports seen of 9."""
LIMITS: Mapping[str, tuple[float, float]] = {"val_accuracy": (0.0, 1.0), "val_loss": (0.0, math.inf)}

Rows: TypeAlias = list[list[float]]
Predict: TypeAlias = Callable[[float], Band]


@dataclass(frozen=True)
class Truth:
    """A law and its noise."""

    b: float
    share: float
    """What stays for ever of the last size's error."""
    noise: float
    """Standard deviation of a seed's log error."""
    apart: float = 0.0
    """Of a size's."""

    def __str__(self) -> str:
        """Its numbers."""
        return f"b {self.b:g}, c {self.share:.0%}, noise {self.noise:.1%}" + (
            f" + {self.apart:.0%}" if self.apart else ""
        )

    def error(self, flops: float) -> float:
        """The mean error."""
        return LAST_ERROR * (self.share + (1 - self.share) * math.exp(-self.b * math.log(flops / FLOPS[-1])))

    def draw(self, rng: np.random.Generator, flops: float) -> list[float]:
        """Errors of a size's seeds."""
        height = math.log(self.error(flops)) + rng.normal(0, self.apart)
        return [float(error) for error in np.exp(height + rng.normal(0, self.noise, SEEDS))]


TRUTHS = (
    Truth(0.05, 0.0, 0.015),
    Truth(0.05, 0.6, 0.03),
    Truth(0.2, 0.0, 0.03),
    Truth(0.2, 0.3, 0.015),
    Truth(0.2, 0.6, 0.03),
    Truth(0.5, 0.0, 0.015),
    Truth(0.5, 0.3, 0.03),
    Truth(0.5, 0.6, 0.015),
    Truth(0.2, 0.3, 0.015, 0.01),
    Truth(0.5, 0.3, 0.015, 0.01),
)


def profile(rows: Rows, rng: np.random.Generator) -> Predict:
    """Ours."""
    del rng
    law = fit_power_law(FLOPS, rows)
    return lambda flops: law.predict(flops, SEEDS)


def constant_gain(rows: Rows, rng: np.random.Generator) -> Predict:
    """The baseline."""
    del rng
    line = fit_constant_gain(FLOPS, rows)
    return lambda flops: line.predict(flops, SEEDS)


def covariance(rows: Rows, rng: np.random.Generator) -> Predict:
    """Student's t with the seeds' variance and the law's linearization: what scipy's `curve_fit` gives."""
    del rng
    sizes = take_sizes(FLOPS, rows, least=7, freedom=7).log()
    x = np.log(sizes.x / FLOPS[-1])

    def log_error(x: Floats, height: float, b: float, share: float) -> Floats:
        return np.asarray(height + np.log(share + (1 - share) * np.exp(-b * x)))

    start, bounds = (float(sizes.means[-1]), 0.2, 0.2), ([-np.inf, 1e-4, 0.0], [np.inf, STEEPEST, 0.999])
    found, _ = optimize.curve_fit(log_error, x, sizes.means, p0=start, bounds=bounds)

    def slopes(x: Floats) -> Floats:
        ends = [(found + step, found - step) for step in 1e-5 * np.eye(3)]
        return np.stack([(log_error(x, *up) - log_error(x, *down)) / 2e-5 for up, down in ends], axis=1)

    inverse = np.linalg.pinv(slopes(x).T @ slopes(x)) / SEEDS

    def predict(flops: float) -> Band:
        at = np.log(np.array([flops / FLOPS[-1]]))
        away = float((slopes(at) @ inverse @ slopes(at).T)[0, 0])
        half = quantile(0.95, sizes.freedom) * math.sqrt(sizes.variance * (away + 1 / SEEDS))
        height = float(log_error(at, *found)[0])
        return Band(value=math.exp(height), low=math.exp(height - half), high=math.exp(min(height + half, 50)))

    return predict


class Bootstrap:
    """Percentiles of what laws predict that are fitted to seeds drawn again within each size."""

    def __init__(self) -> None:
        slopes, steepness = np.meshgrid(np.linspace(0.004, 0.8, 200), np.linspace(0, 1, 25), indexing="ij")
        self.laws = Laws(slope=slopes.ravel(), steepness=steepness.ravel())
        self.middle = math.sqrt(FLOPS[0] * FLOPS[-1])
        shapes = self.laws.shape(np.log(np.array(FLOPS) / self.middle))
        self.centred = shapes - shapes.mean(axis=1, keepdims=True)
        self.shift = shapes.mean(axis=1)

    def __call__(self, rows: Rows, rng: np.random.Generator) -> Predict:
        """The band of the mean of so many new seeds as there are, their own noise drawn from the residuals."""
        logs = np.log(np.array(rows))
        drawn = logs[np.arange(len(logs))[:, None], rng.integers(SEEDS, size=(RESAMPLES, len(logs), SEEDS))]
        means = drawn.mean(axis=2)
        chosen = self._best(means)
        residuals = (logs - logs.mean(axis=1, keepdims=True)).ravel()
        new = rng.choice(residuals, size=(RESAMPLES, SEEDS)).mean(axis=1)
        plain = self._best(logs.mean(axis=1)[None])

        def predict(flops: float) -> Band:
            shape = self.laws.shape(np.array([math.log(flops / self.middle)]))[:, 0] - self.shift
            low, high = np.percentile(means.mean(axis=1) + shape[chosen] + new, [2.5, 97.5])
            value = float(logs.mean() + shape[plain[0]])
            return Band(value=math.exp(value), low=math.exp(low), high=math.exp(high))

        return predict

    def _best(self, means: Floats) -> Floats:
        """The nearest law to each row of means."""
        squares = (self.centred**2).sum(axis=1)[None] - 2 * means @ self.centred.T
        return np.asarray(squares.argmin(axis=1))


METHODS: Mapping[str, Callable[[Rows, np.random.Generator], Predict]] = {
    "profile": profile,
    "covariance": covariance,
    "percentile bootstrap": Bootstrap(),
    "constant gain": constant_gain,
}


@dataclass
class Tally:
    """How often bands held, how wide they were, and how far their values were off."""

    held: int = 0
    draws: int = 0
    width: float = 0.0
    off: float = 0.0

    def take(self, band: Band, truth: float) -> None:
        """Count one; widths and errors are shares of the truth."""
        self.held += band.holds(truth)
        self.draws += 1
        self.width += band.width / truth
        self.off += abs(band.value - truth) / truth

    @property
    def means(self) -> dict[str, float]:
        """Shares and means over all draws."""
        return {"coverage": self.held / self.draws, "width": self.width / self.draws, "error": self.off / self.draws}


def laws(draws: int) -> Iterator[dict[str, object]]:
    """One row a law, method and distance."""
    for truth in TRUTHS:
        tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
        for draw in range(draws):
            rng = np.random.default_rng(derive(draw, str(truth)))
            rows = [truth.draw(rng, flops) for flops in FLOPS]
            new = {name: float(np.mean(truth.draw(rng, FLOPS[-1] * 2**step))) for name, step in STEPS.items()}
            for method, fit in METHODS.items():
                predict = fit(rows, rng)
                for name, step in STEPS.items():
                    tallies[method, name].take(predict(FLOPS[-1] * 2**step), new[name])
        for (method, name), tally in tallies.items():
            yield {"law": str(truth), "method": method, "beyond": name, **tally.means}


def parameters(draws: int) -> Iterator[dict[str, object]]:
    """One row a law: how often the intervals of its parameters hold them, and how often c has a lower end."""
    for truth in TRUTHS:
        held, told, widths = {"b": 0, "c": 0}, 0, 0.0
        for draw in range(draws):
            rng = np.random.default_rng(derive(draw, str(truth)))
            law = fit_power_law(FLOPS, [truth.draw(rng, flops) for flops in FLOPS])
            held["b"] += law.b.holds(truth.b)
            held["c"] += law.c.holds(LAST_ERROR * truth.share)
            told += law.c.low > 0
            widths += law.b.width
        yield {
            "law": str(truth),
            **{f"coverage of {name}": count / draws for name, count in held.items()},
            "width of b": widths / draws,
            "c told from 0": told / draws,
        }


def crossed(draws: int) -> Iterator[dict[str, object]]:
    """One row a place and kind of curve: how often ranges hold a known crossing."""
    fits: Mapping[str, Callable[[Sequence[float], Rows], Curve]] = {
        "power laws": fit_power_law,
        "monotone": fit_monotone,
    }
    for place, steps in CROSSINGS.items():
        truth = FLOPS[0] * 2**steps
        for name, fit in fits.items():
            if name == "monotone" and truth > FLOPS[-1]:
                continue
            held = proven = 0
            widths = []
            for draw in range(draws):
                rng = np.random.default_rng(derive(draw, place))
                first, second = (
                    fit(FLOPS, _crossing(rng, truth, 0.25, 0.5)),
                    fit(FLOPS, _crossing(rng, truth, 0.0, 0.15)),
                )
                high = FLOPS[-1] if name == "monotone" else 2 * FLOPS[-1]
                found = [one for one in crossings(first, second, low=FLOPS[0], high=high).ranges if one.x.holds(truth)]
                held += bool(found)
                proven += any(one.proven for one in found)
                widths += [math.log2(one.x.high / one.x.low) for one in found if one.x.bounded]
            doublings = float(np.mean(widths)) if widths else math.nan
            yield {
                "place": place,
                "curves": name,
                "coverage": held / draws,
                "proven": proven / draws,
                "doublings": doublings,
            }


def _crossing(rng: np.random.Generator, place: float, share: float, b: float) -> Rows:
    """Errors of a law that is 8 % at a place."""
    means = [LAST_ERROR * (share + (1 - share) * (flops / place) ** -b) for flops in FLOPS]
    return [(mean * np.exp(rng.normal(0, CROSSING_NOISE, SEEDS))).tolist() for mean in means]


def curves(draws: int) -> Iterator[dict[str, object]]:
    """One row a metric, reference and report: how far off the last report is predicted, beside last and best so far."""
    repeats = max(1, draws // 100)
    for schedule, metric in itertools.product(SCHEDULES, LIMITS):
        rows = recorded(schedule, metric)
        for finished, now in itertools.product(FINISHED, REPORTED):
            if len(rows) <= finished:
                continue
            tally, last, best = [], [], []
            for row, repeat in itertools.product(range(len(rows)), range(repeats if finished else 1)):
                rng = np.random.default_rng(derive(repeat, schedule, row, now))
                others = rng.permutation([other for other in range(len(rows)) if other != row])[:finished]
                seen, end = rows[row][:now], rows[row][-1]
                band = extrapolate(seen, len(rows[row]), [rows[other] for other in others], limits=LIMITS[metric])
                tally.append((band.holds(end), band.width, abs(band.value - end)))
                last.append(abs(seen[-1] - end))
                best.append(abs((max if metric == "val_accuracy" else min)(seen) - end))
            held, widths, off = (np.array(column, dtype=float) for column in zip(*tally, strict=True))
            yield {
                "curves": f"{schedule}, {metric}",
                "finished": finished,
                "reports": now,
                "coverage": float(held.mean()),
                "median width": float(np.median(widths)),
                "median error": float(np.median(off)),
                "of the last": float(np.median(last)),
                "of the best": float(np.median(best)),
            }


PARTS: Mapping[str, Callable[[int], Iterator[dict[str, object]]]] = {
    "laws": laws,
    "parameters": parameters,
    "crossings": crossed,
    "curves": curves,
}


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} draws")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    draws = QUICK if options.quick else DRAWS
    found = {name: list(PARTS[name](draws)) for name in options.part or PARTS}
    if options.json:
        plain = {
            name: [{key: _finite(cell) for key, cell in row.items()} for row in rows] for name, rows in found.items()
        }
        print(json.dumps({"draws": draws, **plain}))
    else:
        print(lines(found, draws))


def _finite(cell: object) -> object:
    """A cell as JSON has it, which knows no infinity."""
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def lines(found: Mapping[str, Sequence[Mapping[str, object]]], draws: int) -> str:
    """What a person reads."""
    parts = [f"{draws} draws each; widths and errors are means, as shares of the truth"]
    for name, rows in found.items():
        body = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()] for row in rows]
        parts += ["", name, table(list(rows[0]), body)]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
