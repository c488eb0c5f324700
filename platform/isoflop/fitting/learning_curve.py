"""What a running training will report at its end, from its reports so far: a value with a band.

Where trials of the same study have finished, they are the reference: what they still gained after the same report, by
a robust line over where they stood then, with the interval for one further trial. They know the schedule, which forms
do not: a falling learning rate makes the end steeper than a power law. They also know what did not learn yet at an
early report and learned later. Where halving stopped the others, they are the better ones, and so is what they foresee.

Where fewer have finished, three forms are fitted to the curve itself: a power law, an exponential and a logistic one in
log time, out of those of Domhan, Springenberg & Hutter 2015 (IJCAI) and of Viering & Loog 2021 (arXiv 2103.10948). The
band has what any form within reach of the reports goes to, as in `power_law`; a few reports reach far.

Adriaensen et al. 2023 (arXiv 2310.20447) answer the same question by a net trained on made-up curves; that would be a
further dependency and weights to keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from isoflop.errors import Fault, SpecError
from isoflop.fitting.band import Band, Floats
from isoflop.statistics import quantile

FEWEST = 6
"""Finished trials that are enough of a reference."""
REPORTS = 4
"""Reports that forms are fitted to at least: they have three parameters."""
RATES = np.geomspace(0.05, 5.0, 60)
"""Exponents and decays a report that forms are tried with."""
HUBER, ROUNDS = 1.345, 30


def extrapolate(
    seen: Sequence[float],
    horizon: int,
    finished: Sequence[Sequence[float]] = (),
    *,
    level: float = 0.95,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Band:
    """The metric at report `horizon` of a training that has reported `seen`, at reports 1, 2, ... of equal distance.

    `finished` are whole curves of the same metric; those shorter than the horizon or not finite are left out. The band
    is cut at `limits`, which are those of the metric; where there is nothing to go by it is as wide as they are.
    Raises `SpecError` where nothing is seen, or a value is not finite.
    """
    values = np.asarray(seen, dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise SpecError(Fault("reports", f"{list(seen)} are no finite values", "wait for a report, and leave NaN out"))
    now = len(values)
    if now >= horizon:
        return Band(value=float(values[-1]), low=float(values[-1]), high=float(values[-1]))
    rows = [row for row in finished if len(row) >= horizon and np.isfinite(row[:horizon]).all()]
    if len(rows) >= FEWEST:
        whole = np.array([row[:horizon] for row in rows], dtype=np.float64)
        band = _by_reference(float(values[-1]), whole[:, now - 1], whole[:, -1], level)
    elif now >= REPORTS:
        band = _by_form(values, horizon, level)
    else:
        band = Band(value=float(values[-1]), low=-math.inf, high=math.inf)
    return band.clipped(*limits)


def _by_reference(here: float, then: Floats, ends: Floats, level: float) -> Band:
    """Where a trial ends that stands here, from where others stood then and where they ended."""
    gains, middle = ends - then, float(then.mean())
    spread = float(((then - middle) ** 2).sum())
    flat = spread <= 1e-18 * max(1.0, middle**2) * len(then)  # all stood at one place, so there is no line
    sides = np.ones((len(then), 1)) if flat else np.column_stack([np.ones(len(then)), then - middle])
    fitted = _robust(sides, gains)
    left = gains - sides @ fitted
    freedom = len(then) - sides.shape[1]
    at = np.array([1.0, here - middle][: sides.shape[1]])
    leverage = float(at @ np.linalg.inv(sides.T @ sides) @ at)
    half = quantile(level, freedom) * math.sqrt(float(left @ left) / freedom * (1 + leverage))
    value = here + float(at @ fitted)
    return Band(value=value, low=value - half, high=value + half)


def _robust(sides: Floats, values: Floats) -> Floats:
    """Huber's regression by reweighting, its scale the median distance (Huber 1981, Robust statistics, chapter 7)."""
    weights = np.ones(len(values))
    for _ in range(ROUNDS):
        weighted = sides * weights[:, None]
        fitted = np.linalg.solve(weighted.T @ sides, weighted.T @ values)
        away = np.abs(values - sides @ fitted)
        bend = max(HUBER * float(np.median(away)) / 0.6745, 1e-12)
        before, weights = weights, bend / np.maximum(away, bend)
        if np.allclose(before, weights, rtol=0, atol=1e-6):
            break
    return np.asarray(fitted)


def _by_form(seen: Floats, horizon: int, level: float) -> Band:
    """Where every form that fits the reports goes, the value their mean by Gaussian likelihood."""
    reports = np.arange(1.0, len(seen) + 1)
    freedom = len(seen) - 3
    squares, ends, leverages = (
        np.concatenate(parts)
        for parts in zip(*(_form(falling, reports, seen, horizon) for falling in FORMS), strict=True)
    )
    least = float(squares.min())
    variance = max(least / freedom, 1e-18)
    room = least + quantile(level, freedom) ** 2 * variance - squares
    near = room >= 0
    half = np.sqrt(room[near] * (1 + leverages[near]))
    likely = np.exp(-(squares - least) / (2 * variance))
    return Band(
        value=float(likely @ ends / likely.sum()),
        low=float((ends[near] - half).min()),
        high=float((ends[near] + half).max()),
    )


def _power(reports: Floats, rates: Floats) -> Floats:
    return np.asarray(reports[None] ** -rates[:, None])


def _exponential(reports: Floats, rates: Floats) -> Floats:
    return np.asarray(np.exp(-rates[:, None] * (reports[None] - 1)))


def _logistic(reports: Floats, rates: Floats) -> Floats:
    return np.asarray(1 / (1 + (reports[None] / math.e) ** rates[:, None]))


Form: TypeAlias = Callable[[Floats, Floats], Floats]
FORMS: tuple[Form, ...] = (_power, _exponential, _logistic)
"""What falls to 0 with reports, at every rate: (rates, reports). A curve is its end less a multiple of it."""


def _form(falling: Form, reports: Floats, seen: Floats, horizon: int) -> tuple[Floats, Floats, Floats]:
    """Of each rate of a form: squares left by the best end and multiple, the value at the horizon, its leverage."""
    shapes, at = falling(reports, RATES), falling(np.array([float(horizon)]), RATES)[:, 0]
    middles = shapes.mean(axis=1, keepdims=True)
    centred = shapes - middles
    spread = (centred**2).sum(axis=1)
    multiples = centred @ (seen - seen.mean()) / spread
    left = seen - seen.mean() - multiples[:, None] * centred
    away = at - middles[:, 0]
    return (left**2).sum(axis=1), seen.mean() + multiples * away, 1 / len(seen) + away**2 / spread
