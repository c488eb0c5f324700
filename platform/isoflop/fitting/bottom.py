"""Where the bottom of a fitted bowl lies: intervals that are as long as the data leave it open, even endless.

The bottom z of `lead + H z = 0` is a ratio of estimates, and no interval that is always finite can cover it at a stated
level where H may be flat (Gleser & Hwang 1987, Annals of Statistics 15). But for a *given* z the left side is a linear
function of the coefficients, so its distance from 0 is a plain F-statistic, and all z that it does not reject are a
confidence region (Fieller 1954, JRSS B 16; Box & Hunter 1954, Biometrika 41, for several equations). For one
coordinate of z, the other is put where it fits best. Where H cannot be told from one that is flat in some direction,
the region has no end there: that is what "undetermined" means here.

How large the statistic may be is calibrated by a bootstrap: how large it is, of data drawn around the fitted surface,
at the bottom of that surface. The quantile of F is what it would be if the other coordinate were known, and too wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.surface import Draws, Surface, hessian
from isoflop.statistics import Floats

TURN = np.arange(32) * np.pi / 32 - np.pi / 2
"""Directions that are tried for the coordinate which is not asked for, from -infinity to infinity."""
ZOOM = np.linspace(-1, 1, 9)
ROUNDS = 3
PLACES = np.linspace(-np.pi / 2, np.pi / 2, 61)
"""Places of an interval's end, as angles: tan(angle) standard errors from the estimate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bottom:
    """The equations `lead + H z = 0` with their uncertainty: row 0 of `rows` is the lead, those after it are H."""

    rows: Floats
    """(q + 1, q)."""
    covariance: Floats
    """(q + 1, q + 1, q, q): of entry [i, a] with [j, b] at [i, j, a, b], over `variance`."""
    variance: float

    @property
    def q(self) -> int:
        """Coordinates."""
        return int(self.rows.shape[1])

    @property
    def place(self) -> Floats:
        """The bottom itself, (q,)."""
        return -np.linalg.solve(self.rows[1:], self.rows[0])

    def error(self, direction: Floats) -> float:
        """Standard error of the bottom's coordinate along a direction, by the delta method."""
        point = np.array([1.0, *self.place])
        slope = np.linalg.solve(self.rows[1:], direction)
        spread = np.einsum("i,ijab,j->ab", point, self.covariance, point)
        return float(np.sqrt(slope @ spread @ slope * self.variance))

    def flattest(self) -> tuple[float, Floats]:
        """The direction whose curvature is told worst from none, and the F-statistic of its being flat."""
        if self.q == 1:
            return float(_form(self.rows[1:], self.covariance[1, 1]).item() / self.variance), np.ones(1)

        def points(turn: Floats) -> Floats:
            return np.stack([0 * turn, np.cos(turn), np.sin(turn)], axis=-1)

        least, turn = _least(lambda turn: self._distance(points(turn)))
        return float(least / self.variance), np.array([math.cos(turn), math.sin(turn)])

    def interval(self, direction: Floats, limit: float) -> tuple[float, float] | None:
        """Ends of all coordinates along a unit direction that the statistic keeps under a limit; None if endless."""
        scan = _Scan.of(self, direction)
        found = scan.profile(PLACES)
        inside = np.flatnonzero(found <= limit)
        if found[0] <= limit or not len(inside):
            return None
        centre, error = float(direction @ self.place), self.error(direction)
        low = scan.crossing(PLACES[inside[0]], PLACES[inside[0] - 1], limit)
        high = scan.crossing(PLACES[inside[-1]], PLACES[inside[-1] + 1], limit)
        return centre + error * math.tan(low), centre + error * math.tan(high)

    def limit(self, direction: Floats, drawn: Floats, variance: Floats, level: float) -> float:
        """The statistic's quantile over bootstrapped rows (draws, q + 1, q) at the coordinate of the fitted bottom."""
        scan = _Scan.of(self, direction)
        found = np.sort(scan.at_estimate(scan.turned @ drawn) / variance)
        return float(found[min(len(found) - 1, math.ceil(level * (len(found) + 1)) - 1)])

    def _distance(self, points: Floats) -> Floats:
        """Squared distance of combinations of the rows (..., q + 1) from 0, in units of their covariance."""
        return _form(points @ self.rows, spread(points, self.covariance))


@dataclass(frozen=True, slots=True)
class _Scan:
    """A bottom in units of its standard errors: rows for the bottom itself, a step along a direction, one beside it."""

    bottom: Bottom
    turned: Floats
    """(q + 1, q + 1): these rows out of the bottom's."""
    rows: Floats
    covariance: Floats

    @classmethod
    def of(cls, bottom: Bottom, direction: Floats) -> _Scan:
        turned = np.zeros((bottom.q + 1, bottom.q + 1))
        turned[0] = 1.0, *bottom.place
        turned[1, 1:] = direction * bottom.error(direction)
        if bottom.q == 2:
            beside = np.array([-direction[1], direction[0]])
            turned[2, 1:] = beside * bottom.error(beside)
        covariance = np.einsum("xi,ijab,yj->xyab", turned, bottom.covariance, turned)
        return cls(bottom, turned, turned @ bottom.rows, covariance)

    def profile(self, places: Floats) -> Floats:
        """The statistic at places along the direction, the coordinate beside it where it fits best."""
        if self.bottom.q == 1:
            points = np.stack([np.cos(places), np.sin(places)], axis=-1)
            return _form(points @ self.rows, spread(points, self.covariance)) / self.bottom.variance
        across, along = np.cos(places)[:, None], np.sin(places)[:, None]

        def statistic(turn: Floats) -> Floats:
            points = np.stack(np.broadcast_arrays(across * np.cos(turn), along * np.cos(turn), np.sin(turn)), axis=-1)
            return _form(points @ self.rows, spread(points, self.covariance))

        return _least(statistic, len(places))[0] / self.bottom.variance

    def at_estimate(self, rows: Floats) -> Floats:
        """The statistic of other rows (draws, q + 1, q) at the bottom's coordinate, over their variance."""
        if self.bottom.q == 1:
            return _form(rows[:, 0], self.covariance[0, 0])

        def statistic(turn: Floats) -> Floats:
            points = np.stack([np.cos(turn), 0 * turn, np.sin(turn)], axis=-1)
            return _form(points @ rows, spread(points, self.covariance))

        return _least(statistic, len(rows))[0]

    def crossing(self, inside: float, outside: float, limit: float) -> float:
        """Where the statistic passes a limit between two places."""
        for _ in range(4):
            places = np.linspace(inside, outside, 9)
            last = int(np.flatnonzero(self.profile(places)[:-1] <= limit).max(initial=0))
            inside, outside = float(places[last]), float(places[last + 1])
        return (inside + outside) / 2


def rows(theta: Floats, q: int, *, lead: int) -> Floats:
    """Lead and H of coefficients (..., n) as rows (..., q + 1, q); `lead` is where the lead's coefficients begin."""
    return np.concatenate([theta[..., None, lead : lead + q], hessian(theta, q)], axis=-2)


def bottom(fitted: Surface, *, lead: int) -> Bottom:
    """The bottom's equations of a surface."""
    # rows are linear in the coefficients: their derivatives are the rows of unit vectors
    unit = rows(np.eye(len(fitted.theta)), fitted.q, lead=lead)
    covariance = np.einsum("kia,kl,ljb->ijab", unit, fitted.gram, unit)
    return Bottom(rows=rows(fitted.theta, fitted.q, lead=lead), covariance=covariance, variance=fitted.variance)


def limit(found: Bottom, direction: Floats, drawn: Draws, *, lead: int, level: float) -> float:
    """The calibrated limit of an interval along a direction."""
    return found.limit(direction, rows(drawn.theta, found.q, lead=lead), drawn.variance, level)


def spread(points: Floats, covariance: Floats) -> Floats:
    """Covariance (..., q, q) of combinations of rows."""
    size, q = covariance.shape[0], covariance.shape[2]
    pairs = (points[..., :, None] * points[..., None, :]).reshape(*points.shape[:-1], size * size)
    return np.asarray(pairs @ covariance.reshape(size * size, q * q)).reshape(*points.shape[:-1], q, q)


def _form(value: Floats, covariance: Floats) -> Floats:
    """Squares of the last axis in units of a covariance; written out, for it is asked thousands of times."""
    if value.shape[-1] == 1:
        return np.asarray(value[..., 0] ** 2 / covariance[..., 0, 0])
    a, b, c = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    x, y = value[..., 0], value[..., 1]
    return np.asarray((x * x * c - 2 * x * y * b + y * y * a) / (a * c - b * b))


def _least(statistic: Callable[[Floats], Floats], count: int = 1) -> tuple[Floats, Floats]:
    """Least values of `count` statistics of an angle with period pi, and the angles: a grid, then ever finer ones."""
    turn = np.broadcast_to(TURN, (count, len(TURN)))
    width = TURN[1] - TURN[0]
    every = np.arange(count)
    for _ in range(ROUNDS + 1):
        found = statistic(turn).reshape(count, -1)
        best = np.argmin(found, axis=1)
        centre, least = turn[every, best], found[every, best]
        turn = centre[:, None] + ZOOM * width
        width = width / 4
    return (least, centre) if count > 1 else (least[0], centre[0])
