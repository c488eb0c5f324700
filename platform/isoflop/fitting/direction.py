"""What can be traded at equal FLOPs, and which trades the data tell apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from isoflop.fitting.bottom import bottom
from isoflop.fitting.coordinates import Coordinates
from isoflop.fitting.estimate import Estimate
from isoflop.fitting.exponents import NAMES
from isoflop.fitting.surface import Surface, hessian
from isoflop.statistics import Floats, quantile

SMALL = 0.2
"""Share of a direction below which a dimension is not named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """A unit step in the logs of depth, width and resolution that leaves FLOPs as they are."""

    load: tuple[float, float, float]
    """The step."""
    curvature: Estimate
    """Second derivative of log error along it, with Student's interval."""
    determined: bool
    """Whether the error is so curved along it that its best place can be told."""
    slope: Estimate
    """Change of log error along it a step, at the middle of the FLOPs, at the base's proportions: where the error is
    not curved but falls, its best lies beyond the shapes."""
    across: Floats
    """The step in iso-FLOP coordinates, (q,)."""
    moves: float | None
    """How far the best place moves along it a unit of log FLOPs; None where undetermined."""
    starts: float | None
    """Where it lies at the base's FLOPs."""

    @property
    def text(self) -> str:
        """Such as `depth against width`."""
        return named(np.asarray(self.load))

    def report(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "trade": self.text,
            "load": dict(zip(NAMES, self.load, strict=True)),
            "curvature": self.curvature.report(),
            "slope": self.slope.report(),
            "determined": self.determined,
        }


def named(load: Floats) -> str:
    """A step in the logs of depth, width and resolution in words."""
    if load[np.argmax(np.abs(load))] < 0:
        load = -load
    more = [name for name, part in zip(NAMES, load, strict=True) if part > SMALL]
    less = [name for name, part in zip(NAMES, load, strict=True) if part < -SMALL]
    return f"{' and '.join(more)} against {' and '.join(less)}"


def directions(
    fitted: Surface, coordinates: Coordinates, *, growth: bool, start: bool, level: float
) -> tuple[Direction, ...]:
    """The q directions of a surface: its own axes, or the flattest one and what is left.

    All are determined where the whole `growth` is. Else one is, where H is not 0 altogether (an F-test): the surface is
    fitted again as one that is flat along the flattest direction, and the other's place is that surface's. `start`:
    whether the best shape at the base's FLOPs is told too.
    """
    if not fitted.q:
        return ()
    draw = partial(_direction, coordinates=coordinates, level=level)
    _, axes = np.linalg.eigh(fitted.hessian)
    if growth:
        return tuple(draw(fitted, axes[:, n], growth=True, start=start) for n in reversed(range(fitted.q)))
    _, flattest = bottom(fitted, lead=fitted.moves).flattest()
    if fitted.q == 1:
        return (draw(fitted, axes[:, 0], growth=False, start=False),)
    beside = np.array([-flattest[1], flattest[0]])
    left = _flattened(fitted, flattest)
    told = _is_curved(fitted, level) and float(beside @ left.hessian @ beside) > 0
    return (
        draw(left if told else fitted, beside, growth=told, start=told),
        draw(fitted, flattest, growth=False, start=False),
    )


def _direction(
    fitted: Surface, step: Floats, *, coordinates: Coordinates, growth: bool, start: bool, level: float
) -> Direction:
    """A direction with what a surface says of it; the sign is such that its largest part grows."""
    load = coordinates.join(0.0, step)
    if load[np.argmax(np.abs(load))] < 0:
        step, load = -step, -load
    depth, width, resolution = map(float, load)
    return Direction(
        load=(depth, width, resolution),
        curvature=_combination(fitted, _curvature_weights(fitted, step), level),
        determined=growth,
        slope=_combination(fitted, _slope_weights(fitted, step), level),
        across=step,
        moves=_place(fitted, step, fitted.moves) if growth else None,
        starts=_place(fitted, step, fitted.starts) if start else None,
    )


def _place(fitted: Surface, step: Floats, lead: int | None) -> float:
    """The bottom along an axis of H, or of an H that is flat beside it: it depends on nothing beside it."""
    return -float(step @ fitted.lead(lead)) / float(step @ fitted.hessian @ step)


def _combination(fitted: Surface, weights: Floats, level: float) -> Estimate:
    """A linear combination of the coefficients with Student's interval."""
    value = float(weights @ fitted.theta)
    variance = float(weights @ fitted.gram @ weights) * fitted.variance
    half = quantile(level, fitted.freedom) * math.sqrt(max(0.0, variance))
    return Estimate(value=value, low=value - half, high=value + half)


def _curvature_weights(fitted: Surface, step: Floats) -> Floats:
    """What makes step' H step of the coefficients."""
    return np.asarray(np.einsum("a,kab,b->k", step, hessian(np.eye(len(fitted.theta)), fitted.q), step))


def _slope_weights(fitted: Surface, step: Floats) -> Floats:
    """What makes step . (f M + L) of them, at the mean of the shapes' log FLOPs."""
    weights = np.zeros(len(fitted.theta))
    weights[fitted.moves : fitted.moves + fitted.q] = step * float(fitted.design[:, 1].mean())
    if fitted.starts is not None:
        weights[fitted.starts : fitted.starts + fitted.q] = step
    return weights


def _is_curved(fitted: Surface, level: float) -> bool:
    """Whether H is not 0 altogether."""
    size = fitted.q * (fitted.q + 1) // 2
    at = slice(3 + fitted.q, 3 + fitted.q + size)
    statistic = fitted.theta[at] @ np.linalg.solve(fitted.gram[at, at], fitted.theta[at]) / fitted.variance / size
    return bool(statistic > stats.f.isf(1 - level, size, fitted.freedom))


def _flattened(fitted: Surface, flat: Floats) -> Surface:
    """The surface fitted under H flat = 0."""
    needs = np.einsum("kab,b->ak", hessian(np.eye(len(fitted.theta)), fitted.q), flat)
    pull = fitted.gram @ needs.T @ np.linalg.inv(needs @ fitted.gram @ needs.T)
    return fitted.moved(fitted.theta - pull @ needs @ fitted.theta, fitted.gram - pull @ needs @ fitted.gram)
