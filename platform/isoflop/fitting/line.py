"""The line along which a family is climbed: a start and a growth of depth, width and resolution.

Compound scaling of Tan & Le 2019 (arXiv 1905.11946, equation 3), depth alpha^phi, width beta^phi, resolution gamma^phi,
from a start that need not be the base, and scaled so that FLOPs double with phi by the family's own exponents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from isoflop.fitting.exponents import Exponents
from isoflop.statistics import Floats

Three: TypeAlias = tuple[float, float, float]
DOUBLING = math.log(2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Multipliers of depth, width and resolution over phi."""

    start: Three
    """At phi 0, the base's FLOPs."""
    growth: Three
    """alpha, beta and gamma: what phi = 1 multiplies them with."""

    def at(self, phi: float) -> Three:
        """Depth, width and resolution over the base's at a compound coefficient."""
        depth, width, resolution = (s * g**phi for s, g in zip(self.start, self.growth, strict=True))
        return depth, width, resolution


def balanced(found: Exponents) -> Floats:
    """Log growth (3,) that puts an equal share of a doubling into each dimension that was varied."""
    growth = np.zeros(3)
    growth[list(found.varied)] = DOUBLING / (len(found.varied) * found.k)
    return growth


def scaled(prior: Three, found: Exponents) -> Floats:
    """Log growth (3,) along stated alpha, beta and gamma, but doubling the FLOPs by the family's exponents.

    What was not varied does not grow: nobody knows what it costs or gains.
    """
    logs = np.zeros(3)
    logs[list(found.varied)] = np.log(np.asarray(prior))[list(found.varied)]
    doublings = float(found.k @ logs[list(found.varied)]) / DOUBLING
    if not doublings > 0:
        raise ValueError(f"a prior must grow, but FLOPs fall along {prior=}")
    return np.asarray(logs / doublings)
