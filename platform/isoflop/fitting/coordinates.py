"""A shape's logs, split into what costs FLOPs and what trades at equal FLOPs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.fitting.exponents import Exponents
from isoflop.statistics import Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Coordinates:
    """x = a f + N z of what was varied: a = k / |k|^2 with the exponents k, N an orthonormal basis beside k."""

    varied: tuple[int, ...]
    along: Floats
    """a, (varied,)."""
    across: Floats
    """N, (varied, q)."""

    @classmethod
    def of(cls, found: Exponents) -> Coordinates:
        """The coordinates of exponents."""
        _, _, turned = np.linalg.svd(found.k[None])
        return cls(varied=found.varied, along=found.k / (found.k @ found.k), across=turned[1:].T)

    def split(self, shapes: Floats) -> Floats:
        """Coordinates (m, q) of shapes (m, 3)."""
        return np.asarray(shapes[:, list(self.varied)] @ self.across)

    def join(self, log_flops: float, across: Floats) -> Floats:
        """Logs (3,) of a place; 0 where nothing was varied."""
        logs = np.zeros(3)
        logs[list(self.varied)] = self.along * log_flops + self.across @ across
        return logs
