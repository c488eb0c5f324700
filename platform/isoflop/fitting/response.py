"""How depth, width and resolution should grow together, from trainings of shapes near surfaces of equal FLOPs.

The logs x of depth, width and resolution over the base's are split into what costs FLOPs and what trades at equal ones:
x = a (f - c) + N z, with the fitted exponents k (`exponents.py`), a = k / |k|^2 and N an orthonormal basis of what is
orthogonal to k. On (f, z) a surface is fitted (`surface.py`), whose bottom moves with f as z = z0 + f z1. So the best
shape at the base's FLOPs has logs a (0 - c) + N z0, and a doubling of FLOPs adds v = log 2 (a + N z1): alpha, beta and
gamma are exp(v), and k . v = log 2.

EfficientNet's way, a line that must pass through the base (Tan & Le 2019, arXiv 1905.11946, section 3.3), is the same
without z0: `through_base`. It has fewer coefficients, but where the base is not the best shape of its FLOPs, its growth
is bent towards mending that; `Response.base_is_best` is the test of it.

Intervals and what "undetermined" means: `bottom.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from isoflop.fitting.bottom import Bottom, bottom, limit
from isoflop.fitting.coordinates import Coordinates
from isoflop.fitting.direction import Direction, directions, named
from isoflop.fitting.downhill import Downhill, downhill
from isoflop.fitting.estimate import Estimate
from isoflop.fitting.exponents import NAMES, Exponents, exponents
from isoflop.fitting.line import DOUBLING, Line, Three, balanced, scaled
from isoflop.fitting.surface import Draws, Surface, coefficients, seed_means, surface
from isoflop.fitting.trainings import Trainings
from isoflop.seeds import derive
from isoflop.statistics import Floats, quantile

DRAWS = 400
"""Bootstrap draws of each interval's limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What trainings say of a family's growth."""

    alpha: Estimate
    """Growth of depth with a doubling of FLOPs."""
    beta: Estimate
    """Of width."""
    gamma: Estimate
    """Of resolution."""
    optimum: tuple[Estimate, Estimate, Estimate]
    """The best depth, width and resolution at the base's FLOPs, over the base's."""
    exponents: Exponents
    directions: tuple[Direction, ...]
    """What can be traded at equal FLOPs, the most curved first, and whether the data tell where its best lies."""
    downhill: Downhill | None
    """Where they do not: to where the error falls among the shapes, if it does."""
    seeds: float | None
    """Standard deviation of log error between seeds of one shape; None with one seed each."""
    residual: float
    """Of single trainings about the surface."""
    lack: float | None
    """P-value of the surface fitting as well as seeds allow; small: it is not such a surface."""
    base_is_best: float | None
    """P-value of the bottom passing through the base; None where it was made to."""
    trainings: int
    shapes: int
    held: Three
    """Mean logs of the shapes in dimensions that were not varied, 0 in the others."""
    fitted: Surface
    coordinates: Coordinates

    @property
    def growth(self) -> tuple[Estimate, Estimate, Estimate]:
        """alpha, beta and gamma."""
        return self.alpha, self.beta, self.gamma

    @property
    def determined(self) -> bool:
        """Whether nothing of the line has to come from a prior."""
        return all(one.determined for one in self.growth)

    def line(self, prior: Three | None = None) -> Line:
        """The line to climb: from the data where they tell, else from a prior and the base.

        `prior`: alpha, beta and gamma of which only the direction counts, such as the published ones; by default every
        dimension takes an equal share of the FLOPs. Of directions that the data do not tell, the line has the prior's
        growth, and the base's place or that downhill of it; a dimension that was not varied stays.
        """
        offset = self.exponents.offset if self._has_offset else 0.0
        wanted = balanced(self.exponents) if prior is None else scaled(prior, self.exponents)
        growth_across = self.coordinates.split(wanted[None])[0] / DOUBLING
        start_across = np.zeros_like(growth_across)
        for one in self.directions:
            if one.moves is not None:
                growth_across += one.across * (one.moves - one.across @ growth_across)
            if one.starts is not None:
                start_across += one.across * (one.starts - one.across @ start_across)
        if self.downhill is not None:
            start_across += self.downhill.across
        start = self.coordinates.join(-offset, start_across) + np.asarray(self.held)
        growth = DOUBLING * self.coordinates.join(1.0, growth_across)
        return Line(start=_three(np.exp(start)), growth=_three(np.exp(growth)))

    def predict(self, shapes: Floats, log_flops: Floats) -> Floats:
        """Errors (m,) of the surface at shapes (m, 3) with so many log FLOPs (m,)."""
        return np.exp(self.fitted.predict(log_flops, self.coordinates.split(shapes)))

    def report(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            **{name: one.report() for name, one in zip(("alpha", "beta", "gamma"), self.growth, strict=True)},
            "optimum": {name: one.report() for name, one in zip(NAMES, self.optimum, strict=True)},
            "exponents": self.exponents.report(),
            "directions": [one.report() for one in self.directions],
            "downhill": None if self.downhill is None else self.downhill.report(),
            "noise": {"seeds": self.seeds, "residual": self.residual, "lack_of_fit_p": self.lack},
            "base_is_best_p": self.base_is_best,
            "trainings": self.trainings,
            "shapes": self.shapes,
        }

    @property
    def _has_offset(self) -> bool:
        return self.base_is_best is not None


def respond(
    shapes: Floats,
    log_flops: Floats,
    values: Floats,
    shape_of: npt.NDArray[np.int64],
    *,
    through_base: bool = False,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = 0.95,
) -> Response:
    """Fit n trainings, one a row.

    `shapes` (n, 3): natural logs of counted depth, width and resolution over the base's. `log_flops` (n,): of counted
    FLOPs over the base's. `values` (n,): an error above 0 to be made small; its log is fitted. `shape_of` (n,): which
    shape each is, numbers of any kind; equal numbers are seeds of one. Raises `InputError` where the trainings cannot
    be fitted: they differ in length, are not finite, or their shapes are too few or too much alike.
    """
    given = Trainings.of(shapes, log_flops, values, shape_of)
    known = exponents(given.shapes, given.log_flops, level=level)
    given.check(coefficients(len(known.varied) - 1, through_base=through_base), known.varied)
    means = seed_means(np.log(given.values), given.shape_of, len(given.shapes))
    coordinates = Coordinates.of(known)
    fitted = surface(given.log_flops, coordinates.split(given.shapes), means, through_base=through_base)
    drawn = fitted.bootstrap(np.random.default_rng(derive(seed, "response")), draws)
    told = _Told(fitted, drawn, coordinates, level)
    optimum, growth = told.optimum(known), told.growth()
    trades = directions(
        fitted,
        coordinates,
        growth=all(growth[n].determined for n in coordinates.varied),
        start=all(optimum[n].determined for n in coordinates.varied),
        level=level,
    )
    return Response(
        alpha=growth[0],
        beta=growth[1],
        gamma=growth[2],
        optimum=optimum,
        exponents=known,
        directions=trades,
        downhill=downhill(fitted, coordinates, _off(given, coordinates, known), trades),
        seeds=None if means.pure is None else float(np.sqrt(means.pure)),
        residual=fitted.residual,
        lack=fitted.lack,
        base_is_best=None if fitted.through_base else _base_is_best(fitted),
        trainings=len(given.values),
        shapes=len(given.shapes),
        held=_three(np.where(np.isin(np.arange(3), known.varied), 0.0, given.shapes.mean(axis=0))),
        fitted=fitted,
        coordinates=coordinates,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What a surface tells of each dimension."""

    fitted: Surface
    drawn: Draws
    coordinates: Coordinates
    level: float

    def growth(self) -> tuple[Estimate, Estimate, Estimate]:
        """alpha, beta and gamma."""
        found = [self._dimension(n, self.fitted.moves, DOUBLING, DOUBLING) for n in range(3)]
        return found[0], found[1], found[2]

    def optimum(self, known: Exponents) -> tuple[Estimate, Estimate, Estimate]:
        """Multipliers of the best shape at the base's FLOPs."""
        lead = self.fitted.starts
        if lead is None:
            held = [Estimate.unknown(f"{name} was not varied") for name in NAMES]
            for n in self.coordinates.varied:
                held[n] = Estimate(value=1.0, low=1.0, high=1.0)
            return held[0], held[1], held[2]
        found = [self._dimension(n, lead, 1.0, -known.offset) for n in range(3)]
        return found[0], found[1], found[2]

    def _dimension(self, n: int, lead: int, scale: float, log_flops: float) -> Estimate:
        """exp(a log_flops + scale N z) of a dimension, z the bottom of a lead."""
        if n not in self.coordinates.varied:
            return Estimate.unknown(f"{NAMES[n]} was not varied")
        place = self.coordinates.varied.index(n)
        given = float(self.coordinates.along[place]) * log_flops
        slope = self.coordinates.across[place]
        if not len(slope):
            return Estimate(value=given, low=given, high=given).map(_exp)
        length = float(np.linalg.norm(slope))
        return self._along(lead, slope / length).map(lambda c: _exp(given + scale * length * c))

    def _along(self, lead: int, direction: Floats) -> Estimate:
        """The bottom's coordinate along a unit direction."""
        found = bottom(self.fitted, lead=lead)
        why = self._flat(found)
        if why:
            return Estimate.unknown(why)
        reach = limit(found, direction, self.drawn, lead=lead, level=self.level)
        ends = found.interval(direction, reach)
        if ends is None:
            return Estimate.unknown("its interval has no end")
        return Estimate(value=float(direction @ found.place), low=ends[0], high=ends[1])

    def _flat(self, found: Bottom) -> str:
        """Why a bowl has no bottom that the data tell; empty where it has."""
        values, axes = np.linalg.eigh(found.rows[1:])
        if values[0] <= 0:
            return f"trading {self._named(axes[:, 0])} finds no least error in between"
        distance, flattest = found.flattest()
        is_told = distance > quantile(self.level, self.fitted.freedom) ** 2
        return "" if is_told else f"trading {self._named(flattest)} changes the error too little to tell"

    def _named(self, step: Floats) -> str:
        return named(self.coordinates.join(0.0, step))


def _base_is_best(fitted: Surface) -> float | None:
    """P-value of L = 0, an F-test; 1 where nothing can be traded."""
    if fitted.starts is None or not fitted.q:
        return 1.0
    at = slice(fitted.starts, fitted.starts + fitted.q)
    statistic = fitted.theta[at] @ np.linalg.solve(fitted.gram[at, at], fitted.theta[at]) / fitted.variance
    return float(stats.f.sf(statistic / fitted.q, fitted.q, fitted.freedom))


def _off(given: Trainings, coordinates: Coordinates, known: Exponents) -> Floats:
    """How far shapes (m, q) stand off a line from the base in which all dimensions take equal shares of the FLOPs."""
    balance = coordinates.split(balanced(known)[None])[0] / DOUBLING
    return coordinates.split(given.shapes) - np.outer(given.log_flops, balance)


def _three(values: Floats) -> Three:
    depth, width, resolution = map(float, values)
    return depth, width, resolution


def _exp(value: float) -> float:
    return float(np.exp(min(value, 700.0)))
