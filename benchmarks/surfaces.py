"""Response surfaces whose answers are known, and the trainings that a measurement of them would give.

The design is Isoflop's own (`isoflop.scaling.design`): a star on each of four FLOP levels, 0 to 3 doublings, and the
corners of a simplex at the second. It is rounded as nets round: whole layers out of 12, channels in sixteenths, pixels
in steps of 4 out of 28. Counted FLOPs stray by 1 % from the power law. Two or three seeds a shape, 77 trainings in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isoflop.scaling.design import ARM, LEVELS, surface
from isoflop.scaling.extent import DIMENSIONS
from isoflop.statistics import Floats

DOUBLING = float(np.log(2))
STRAY = 0.01
"""Standard deviation of log FLOPs about the power law, by rounding."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A surface: -1 - 0.2 f + 0.01 f^2 at its bottom, and a bowl of the logs around it at equal FLOPs."""

    name: str
    exponents: tuple[float, float, float]
    growth: tuple[float, float, float]
    """alpha, beta and gamma, before they are scaled to a doubling of FLOPs."""
    start: tuple[float, float, float] = (0.2, -0.1, 0.0)
    """Logs of the best shape at the base's FLOPs, before they are projected to them."""
    bowl: tuple[float, float, float] = (0.4, 0.8, 0.8)
    """Curvature of log error along depth, width and resolution."""
    is_flat: bool = False
    """Whether error stays as it is when resolution is traded against depth and width in equal parts."""
    seeds: float = 0.03
    """Standard deviation of log error between seeds."""
    shapes: float = 0.0
    """Of what is a shape's own and no surface knows."""
    skew: float = 0.0
    """How unlike a bowl it is: the error falls off by a term of third order as well, less steep to one side."""
    resolution: bool = True
    """Whether resolution is varied; else the best shape is that of depth and width alone."""

    @property
    def k(self) -> Floats:
        """The exponents."""
        return np.asarray(self.exponents)

    @property
    def v(self) -> Floats:
        """Log growth with a doubling of FLOPs."""
        return self._best(DOUBLING) - self.x0

    @property
    def x0(self) -> Floats:
        """Logs of the best shape at the base's FLOPs."""
        return self._best(0.0)

    def log_error(self, shapes: Floats, log_flops: Floats) -> Floats:
        """Log errors (m,) without noise: the bowl sees a step at equal FLOPs alone."""
        off = shapes - self._free(log_flops)
        bowl = np.einsum("ni,ij,nj->n", off, self.h, off) / 2
        beside = off - np.outer(off @ self.k, self.k) / (self.k @ self.k)
        lean = self.skew * (beside**3 @ np.asarray(self.bowl)) / 2
        return np.asarray(-1 - 0.2 * log_flops + 0.01 * log_flops**2 + bowl - lean)

    @property
    def h(self) -> Floats:
        """The bowl's second derivatives, (3, 3), 0 along what grows FLOPs."""
        keep = np.eye(3) - np.outer(self.k, self.k) / (self.k @ self.k)
        if self.is_flat:
            flat = np.array([-0.5, -0.5, 1.0]) / self.k
            keep = keep - np.outer(flat, flat) / (flat @ flat)
        return np.asarray(keep @ np.diag(self.bowl) @ keep)

    def _free(self, log_flops: Floats) -> Floats:
        """Logs (m, 3) of the best shape of all."""
        logs, start = np.log(np.asarray(self.growth)), np.asarray(self.start)
        start = start - self.k * (self.k @ start) / (self.k @ self.k)
        return np.asarray(start + np.outer(log_flops, logs / (self.k @ logs)))

    def _best(self, log_flops: float) -> Floats:
        """Logs (3,) of the best shape of those that are tried."""
        free = self._free(np.array([log_flops]))[0]
        if self.resolution:
            return np.asarray(free)
        step = np.array([1 / self.k[0], -1 / self.k[1], 0.0])
        start = np.array([log_flops / self.k[0], 0.0, 0.0])
        return np.asarray(start - step * (step @ self.h @ (start - free)) / (step @ self.h @ step))


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """What a fit is given."""

    shapes: Floats
    log_flops: Floats
    values: Floats
    shape_of: npt.NDArray[np.int64]


def design(truth: Truth, *, arm: float = ARM) -> tuple[Floats, Floats]:
    """Rounded shapes (m, 3) of a star's arm, and their counted log FLOPs (m,)."""
    free = DIMENSIONS if truth.resolution else DIMENSIONS[:2]
    rows = [
        [shares.get(name, 0.0) / exponent for name, exponent in zip(DIMENSIONS, truth.exponents, strict=True)]
        for level in LEVELS
        for shares in surface(level, dict.fromkeys(free, arm)).values()
    ]
    shapes = _rounded(np.asarray(rows))
    noise = np.random.default_rng(0).standard_normal(len(shapes))
    return shapes, shapes @ truth.k + STRAY * noise


def _rounded(logs: Floats) -> Floats:
    """Logs of layers, channels and pixels as nets have them."""
    bases, steps = np.array([12.0, 64.0, 28.0]), np.array([1.0, 4.0, 4.0])
    return np.asarray(np.log(np.maximum(1, np.round(np.exp(logs) * bases / steps)) * steps / bases))


def trainings(truth: Truth, shapes: Floats, log_flops: Floats, generator: np.random.Generator) -> Trainings:
    """One draw: two seeds of odd shapes, three of even ones."""
    shape_of = np.repeat(np.arange(len(shapes)), np.where(np.arange(len(shapes)) % 2, 2, 3))
    own = truth.shapes * generator.standard_normal(len(shapes))
    log_error = (truth.log_error(shapes, log_flops) + own)[shape_of]
    log_error = log_error + truth.seeds * generator.standard_normal(len(shape_of))
    return Trainings(
        shapes=shapes[shape_of], log_flops=log_flops[shape_of], values=np.exp(log_error), shape_of=shape_of
    )
