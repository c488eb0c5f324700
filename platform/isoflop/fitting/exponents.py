"""With which powers of depth, width and resolution a family's counted FLOPs grow, near the shapes that were counted.

    log FLOPs = c + k . x,     x: the logs of depth, width and resolution relative to a base

by least squares over the shapes, every shape once. Depth * width^2 * resolution^2 (Tan & Le 2019, arXiv 1905.11946,
equation 3) is k = (1, 2, 2); attention, depthwise convolutions, stems and heads make it another, and one that changes
with size. The intervals are Student's, and take what rounding adds to the counts for noise; `bend` says how far the
powers change over the shapes, which a straight line cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from isoflop.fitting.estimate import Estimate
from isoflop.statistics import Floats, quantile

NAMES = ("depth", "width", "resolution")
HELD = float(np.log(1.1))
"""A dimension whose largest and smallest value lie closer than this, in logs, was not varied."""
MATTERS = 0.1
"""A change of an exponent over the shapes that is worth saying."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponents:
    """Powers of the FLOPs, `along` the shapes and `bend`ing over them."""

    values: tuple[Estimate, Estimate, Estimate]
    offset: float
    """Log FLOPs where all logs of the shape are 0, by the straight line."""
    residual: float
    """Standard deviation of log FLOPs about the line."""
    bend: tuple[float | None, float | None, float | None]
    """By how much each exponent changes from the smallest to the largest FLOPs; None where shapes are too few."""

    @property
    def varied(self) -> tuple[int, ...]:
        """The dimensions that were varied: 0 depth, 1 width, 2 resolution."""
        return tuple(n for n, one in enumerate(self.values) if one.determined)

    @property
    def k(self) -> Floats:
        """The exponents of what was varied."""
        return np.array([self.values[n].value for n in self.varied], dtype=np.float64)

    @property
    def curved(self) -> bool:
        """Whether an exponent changes so much over the shapes that a single number misleads."""
        return any(one is not None and abs(one) > MATTERS for one in self.bend)

    def report(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            **{name: one.report() for name, one in zip(NAMES, self.values, strict=True)},
            "residual": self.residual,
            "bend": dict(zip(NAMES, self.bend, strict=True)),
            "curved": self.curved,
        }


def exponents(shapes: Floats, log_flops: Floats, *, level: float = 0.95) -> Exponents:
    """The exponents over shapes (m, 3) and their log FLOPs (m,), both relative to the base."""
    varied = [n for n in range(3) if len(shapes) and np.ptp(shapes[:, n]) > HELD]
    design = np.column_stack([np.ones(len(shapes)), shapes[:, varied]])
    found, *_ = np.linalg.lstsq(design, log_flops)
    rest = log_flops - design @ found
    freedom = len(shapes) - design.shape[1]
    variance = float(rest @ rest) / freedom if freedom > 0 else 0.0
    reach = quantile(level, max(1, freedom)) * np.sqrt(variance * np.diag(np.linalg.pinv(design.T @ design)))
    values = [Estimate.unknown(f"{name} was not varied") for name in NAMES]
    bend: list[float | None] = [None, None, None]
    changes = _bend(shapes[:, varied], log_flops)
    for place, n in enumerate(varied):
        value, half = float(found[place + 1]), float(reach[place + 1])
        values[n] = Estimate(value=value, low=value - half, high=value + half)
        bend[n] = None if changes is None else float(changes[place])
    return Exponents(
        values=(values[0], values[1], values[2]),
        offset=float(found[0]),
        residual=float(np.sqrt(variance)),
        bend=(bend[0], bend[1], bend[2]),
    )


def _bend(shapes: Floats, log_flops: Floats) -> Floats | None:
    """Change of each exponent over the range of the FLOPs, all dimensions growing alike in FLOPs.

    Twice the second-order terms of a full quadratic in the logs along the mean direction in which the FLOPs grow;
    0 where those terms do not explain more than chance (F-test at 5 %).
    """
    count = shapes.shape[1]
    centred = shapes - shapes.mean(axis=0)
    pairs = [(a, b) for a in range(count) for b in range(a, count)]
    line = np.column_stack([np.ones(len(shapes)), centred])
    full = np.column_stack([line, *(centred[:, a] * centred[:, b] for a, b in pairs)])
    freedom = len(shapes) - full.shape[1]
    if not count or freedom < 1:
        return None
    slopes, *_ = np.linalg.lstsq(line, log_flops)
    found, *_ = np.linalg.lstsq(full, log_flops)
    before, after = (float(((log_flops - m @ c) ** 2).sum()) for m, c in ((line, slopes), (full, found)))
    gain = (before - after) / len(pairs) / max(after / freedom, 1e-16)
    if gain < stats.f.isf(0.05, len(pairs), freedom):
        return np.zeros(count)
    second = np.zeros((count, count))
    for (a, b), value in zip(pairs, found[count + 1 :], strict=True):
        second[a, b] += value
        second[b, a] += value
    growth = np.ptp(log_flops) / (count * slopes[1:])
    return np.asarray(second @ growth, dtype=np.float64)
