"""A quadratic surface of log error over counted FLOPs and what can be traded at equal FLOPs.

Box & Draper 2007, Response surfaces, mixtures, and ridge analyses. With f the log of counted FLOPs and z the q
coordinates in which a shape moves without changing them (q = 2 for three dimensions that vary),

    log error = t(f) + (f M + L) . z + z' H z / 2 + noise,     t(f) quadratic

which is the full quadratic in the logs of depth, width and resolution where FLOPs are a power law of them, and stays
right where they are not, because f is counted. Where H is positive, the least error at f lies at -H^-1 (L + f M): a
bowl whose bottom moves along a straight line (the iso-FLOP profiles of Hoffmann et al. 2022, arXiv 2203.15556,
approach 2, for all levels of FLOPs at once).

Noise is taken from how far the means of shapes lie off the surface, not from the seeds of one shape alone: so what
rounding does to a shape, which all its seeds share, and a surface that is not quite quadratic widen the intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from isoflop.statistics import Floats

RIDGE = 1e-9
"""Added to the design's squared scale: what it cannot tell gets a huge variance instead of none."""
FINEST = 1e-9
"""Standard deviation of log error below which noise is not believed, so that exact data can be fitted."""
LEVERAGE = 0.95
"""A residual is not scaled up by more than this leverage asks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """Mean log error of each shape, over how many seeds, and what seeds alone stray."""

    values: Floats
    counts: Floats
    pure: float | None
    """Variance between seeds of one shape; None with one seed each."""
    freedom: int
    """Degrees of freedom of that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draws:
    """Surfaces fitted to data that a bootstrap drew around the fitted one."""

    theta: Floats
    """(draws, coefficients)."""
    variance: Floats
    """(draws,), of a single training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """Least squares of the model on the means of shapes.

    The coefficients are t (3), M (q), the upper half of H row by row, and L (q) unless the bottom passes the base.
    """

    theta: Floats
    gram: Floats
    """Covariance of the coefficients over the variance of one training."""
    variance: float
    """Of one training's log error about the surface, from shape to shape."""
    freedom: int
    design: Floats
    """(shapes, coefficients)."""
    means: Means
    q: int
    through_base: bool

    @property
    def moves(self) -> int:
        """Where the coefficients M begin."""
        return 3

    @property
    def starts(self) -> int | None:
        """Where the coefficients L begin; None where the bottom passes the base."""
        return None if self.through_base else 3 + self.q + self.q * (self.q + 1) // 2

    def lead(self, place: int | None) -> Floats:
        """M or L, (q,), by where it begins; 0 where it is not there."""
        return np.zeros(self.q) if place is None else self.theta[place : place + self.q]

    def predict(self, log_flops: Floats, across: Floats) -> Floats:
        """Log errors (m,) at log FLOPs (m,) and iso-FLOP coordinates (m, q)."""
        return np.asarray(terms(log_flops, across, through_base=self.through_base) @ self.theta)

    def moved(self, theta: Floats, gram: Floats) -> Surface:
        """The same surface with other coefficients and their covariance."""
        return replace(self, theta=theta, gram=gram)

    @property
    def hessian(self) -> Floats:
        """H, (q, q)."""
        return hessian(self.theta, self.q)

    @property
    def residual(self) -> float:
        """Standard deviation of single trainings about the surface."""
        off = self.means.values - self.design @ self.theta
        within = (self.means.pure or 0.0) * self.means.freedom
        freedom = self.freedom + self.means.freedom
        return float(np.sqrt((float((self.means.counts * off**2).sum()) + within) / freedom))

    @property
    def lack(self) -> float | None:
        """P-value of shapes straying from the surface as seeds do: small where the surface is not such a one."""
        if self.means.pure is None or self.means.pure < FINEST**2:
            return None
        return float(stats.f.sf(self.variance / self.means.pure, self.freedom, self.means.freedom))

    def bootstrap(self, generator: np.random.Generator, draws: int) -> Draws:
        """Fits to the surface plus residuals of shapes, drawn with replacement.

        Residuals are scaled by their leverage, so that they have the noise's variance (Davison & Hinkley 1997,
        Bootstrap methods and their application, section 6.3).
        """
        counts, design = self.means.counts, self.design
        leverage = counts * np.einsum("ij,jk,ik->i", design, self.gram, design)
        off = (self.means.values - design @ self.theta) * np.sqrt(counts)
        off = off / np.sqrt(1 - np.minimum(leverage, LEVERAGE))
        off -= off.mean()
        drawn = off[generator.integers(0, len(off), (draws, len(off)))] / np.sqrt(counts)
        change = drawn @ (self.gram @ (design * counts[:, None]).T).T
        left = drawn - change @ design.T
        variance = np.maximum((counts * left**2).sum(axis=1) / self.freedom, FINEST**2)
        return Draws(theta=self.theta + change, variance=variance)


def surface(log_flops: Floats, across: Floats, means: Means, *, through_base: bool) -> Surface:
    """Fit shapes of so many log FLOPs (m,) at iso-FLOP coordinates (m, q)."""
    design = terms(log_flops, across, through_base=through_base)
    weighted = design * means.counts[:, None]
    square = weighted.T @ design
    scale = np.sqrt(np.diag(square))
    gram = np.linalg.inv(square / np.outer(scale, scale) + RIDGE * np.eye(len(scale))) / np.outer(scale, scale)
    root = np.sqrt(means.counts)
    theta = np.asarray(np.linalg.lstsq(design * root[:, None], means.values * root)[0], dtype=np.float64)
    off = means.values - design @ theta
    freedom = len(design) - design.shape[1]
    variance = max(float((means.counts * off**2).sum()) / freedom, FINEST**2)
    return Surface(
        theta=theta,
        gram=gram,
        variance=variance,
        freedom=freedom,
        design=design,
        means=means,
        q=across.shape[1],
        through_base=through_base,
    )


def terms(log_flops: Floats, across: Floats, *, through_base: bool) -> Floats:
    """The model's columns."""
    q = across.shape[1]
    columns = [np.ones_like(log_flops), log_flops, log_flops**2 / 2]
    columns += [log_flops * across[:, a] for a in range(q)]
    columns += [across[:, a] * across[:, b] / (2 if a == b else 1) for a in range(q) for b in range(a, q)]
    columns += [] if through_base else [across[:, a] for a in range(q)]
    return np.column_stack(columns)


def coefficients(q: int, *, through_base: bool) -> int:
    """How many coefficients the model has."""
    return 3 + q + q * (q + 1) // 2 + (0 if through_base else q)


def hessian(theta: Floats, q: int) -> Floats:
    """H of the coefficients, (..., q, q)."""
    found = np.zeros((*theta.shape[:-1], q, q))
    upper = [(a, b) for a in range(q) for b in range(a, q)]
    for place, (a, b) in enumerate(upper):
        found[..., a, b] = found[..., b, a] = theta[..., 3 + q + place]
    return found


def seed_means(log_values: Floats, shape_of: np.ndarray, shapes: int) -> Means:
    """Means over the seeds of each shape."""
    counts = np.bincount(shape_of, minlength=shapes).astype(np.float64)
    values = np.bincount(shape_of, log_values, shapes) / counts
    freedom = len(log_values) - shapes
    pure = float(((log_values - values[shape_of]) ** 2).sum()) / freedom if freedom else None
    return Means(values=values, counts=counts, pure=pure, freedom=freedom)
