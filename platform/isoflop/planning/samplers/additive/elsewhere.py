"""Turns some suggestions away from what is best so far, so that a search leaves the first good region that it finds.

Expected improvement stays around a good configuration while one that lies several changes off, and is better, looks
poor from afar. So of four suggestions one leaves out the neighbourhood of the best trial and one that of the two best
peaks; each looks for what improves on the best trial outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.planning.samplers.additive.posterior import Posterior
from isoflop.planning.samplers.coding import Flags
from isoflop.planning.samplers.column import Floats

LEFT_OUT = (0, 1, 0, 2)
"""Peaks that are left out, by the number of the trial modulo four."""
NEAR = 0.4
"""Correlation above which a configuration lies in a peak's neighbourhood."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What lies outside the neighbourhoods of some peaks."""

    model: Posterior
    peaks: Floats
    """Rows (peaks, columns)."""
    best: float
    """The greatest expected value of a trial outside."""

    @classmethod
    def of(cls, model: Posterior, number: int) -> Elsewhere:
        """What trial `number` looks at; a peak whose neighbourhood holds every trial is not left out."""
        means = model.means
        outside = np.ones(len(means), dtype=np.bool_)
        peaks: list[int] = []
        for _ in range(LEFT_OUT[number % len(LEFT_OUT)]):
            peak = int(np.argmax(np.where(outside, means, -np.inf)))
            others = outside & ~_near(model, model.rows, model.rows[[peak]])
            if not others.any():
                break
            peaks.append(peak)
            outside = others
        return cls(model, model.rows[peaks], float(means[outside].max()))

    def holds(self, rows: Floats) -> Flags:
        """Which rows lie outside."""
        return ~_near(self.model, rows, self.peaks)


def _near(model: Posterior, rows: Floats, peaks: Floats) -> Flags:
    if not len(peaks):
        return np.zeros(len(rows), dtype=np.bool_)
    found: Flags = model.kernel.gram(rows, peaks).max(axis=1) > NEAR * model.kernel.variance
    return found
