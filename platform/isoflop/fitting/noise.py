"""How far trainings lie from a fitted curve: seeds apart from each other, and sizes apart from the curve."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from isoflop.fitting.sizes import Sizes
from isoflop.statistics import quantile

APART = 0.25
"""Level at which misfit is told from the seeds' variance (Bancroft 1964, Biometrics 20)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """The variance of a training about a curve."""

    variance: float
    """Of one training, as the mean of a size has it: the sizes' own part counts as often as a size has seeds."""
    freedom: int
    seeds: float
    """Variance between seeds of a size."""
    sizes: float
    """Variance between sizes that seeds do not explain; 0 where none is told."""

    def of_mean(self, seeds: int) -> float:
        """Variance of the mean of new trainings of one size about the curve."""
        return self.sizes + self.seeds / seeds

    def reach(self, level: float) -> float:
        """The variance times the square of its t-quantile."""
        return quantile(level, self.freedom) ** 2 * self.variance


def noise_of(sizes: Sizes, *, misfit: float, freedom: int) -> Noise:
    """The noise about a curve that leaves a sum of squares `misfit`, weighted by seeds, over the sizes' means."""
    seeds, count = sizes.variance, float(sizes.seeds.mean())
    beyond = misfit / freedom
    if seeds > 0 and stats.f.sf(beyond / seeds, freedom, sizes.freedom) < APART:
        return Noise(variance=beyond, freedom=freedom, seeds=seeds, sizes=(beyond - seeds) / count)
    pooled = (seeds * sizes.freedom + misfit) / (sizes.freedom + freedom)
    return Noise(variance=pooled, freedom=sizes.freedom + freedom, seeds=pooled, sizes=0.0)
