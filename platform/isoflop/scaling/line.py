"""A line of compound growth: depth, width and resolution rise together, from a base."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from isoflop.scaling.exponents import Exponents
from isoflop.scaling.extent import DIMENSIONS, Dimension, Logs

EFFICIENTNET = (1.2, 1.1, 1.15)
"""Published alpha, beta and gamma (Tan & Le 2019, arXiv 1905.11946, section 3.3)."""

BASE = Logs(0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What phi 1 multiplies counted depth, width and resolution by, from where on."""

    alpha: float
    beta: float
    gamma: float
    start: Logs = BASE
    """Where it stands at phi 0, seen from the base."""

    @classmethod
    def along(cls, direction: Logs, exponents: Exponents) -> Self:
        """The line along a direction, of any length, on which FLOPs double with phi by a family's exponents."""
        length = math.log(2) / exponents.flops(direction)
        alpha, beta, gamma = (math.exp(length * log) for log in direction)
        return cls(alpha=alpha, beta=beta, gamma=gamma)

    @classmethod
    def published(cls, exponents: Exponents) -> Self:
        """EfficientNet's, stretched until FLOPs double with phi: of its own B0 they grow by 1.92."""
        return cls.along(Logs(*map(math.log, EFFICIENTNET)), exponents)

    @classmethod
    def even(cls, exponents: Exponents, among: Sequence[Dimension] = DIMENSIONS) -> Self:
        """The line on which each dimension among some, if it can vary, takes an equal share of the FLOPs' growth."""
        free = [name for name in exponents.free if name in among]
        return cls.along(shared(dict.fromkeys(free, 1.0), exponents), exponents)

    def at(self, phi: float) -> Logs:
        """Where the line stands at a phi, seen from the base."""
        factors = (self.alpha, self.beta, self.gamma)
        return Logs(*(first + phi * math.log(factor) for first, factor in zip(self.start, factors, strict=True)))


def shared(shares: Mapping[Dimension, float], exponents: Exponents) -> Logs:
    """The place at which each dimension brings a share of log FLOPs; one that cannot vary brings none."""
    return Logs(*(shares.get(name, 0.0) / (exponents.of(name) or math.inf) for name in DIMENSIONS))
