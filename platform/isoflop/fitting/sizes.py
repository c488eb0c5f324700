"""What was measured at each of several sizes: one value a seed, and how far seeds of one size differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isoflop.errors import Fault, SpecError
from isoflop.fitting.band import Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sizes:
    """Values of several trainings at several x, ascending in x."""

    x: Floats
    """(sizes,), more than 0."""
    values: tuple[Floats, ...]
    """For each size one number a seed."""

    @property
    def seeds(self) -> Floats:
        """How many seeds each size has."""
        return np.array([float(len(row)) for row in self.values])

    @property
    def means(self) -> Floats:
        """Mean over the seeds of each size."""
        return np.array([row.mean() for row in self.values])

    @property
    def freedom(self) -> int:
        """Degrees of freedom of `variance`."""
        return int(self.seeds.sum()) - len(self.x)

    @property
    def variance(self) -> float:
        """Variance between seeds, pooled over sizes."""
        return sum(float(((row - row.mean()) ** 2).sum()) for row in self.values) / self.freedom

    @property
    def scale(self) -> float:
        """Standard deviation between seeds that a stray seed does not move: the median of the sizes' own."""
        rows = [row for row in self.values if len(row) > 1]
        freedom = np.array([len(row) - 1 for row in rows])
        deviations = np.array([row.std(ddof=1) for row in rows])
        return float(np.median(deviations / np.sqrt(stats.chi2.median(freedom) / freedom)))

    def log(self) -> Sizes:
        """The same with natural logarithms of the values."""
        return Sizes(x=self.x, values=tuple(np.log(row) for row in self.values))


def take_sizes(
    x: Sequence[float], values: Sequence[Sequence[float]], *, least: int, freedom: int, floor: float | None = None
) -> Sizes:
    """Measured values by size, sorted; values that are not finite are left out, and sizes that have none left.

    With `floor` values must be more than 0, for their logarithm is taken: those below the floor count as it. Raises
    `SpecError` where fewer than `least` sizes are left, or all seeds together tell the variance between them by fewer
    than `freedom` degrees of freedom.
    """
    if len(x) != len(values):
        raise SpecError(Fault("sizes", f"{len(x)} sizes have {len(values)} rows of values", "give a row a size"))
    found = {float(at): np.asarray(row, dtype=np.float64) for at, row in zip(x, values, strict=True)}
    if len(found) < len(x) or not all(math.isfinite(at) and at > 0 for at in found):
        raise SpecError(Fault("sizes", f"{list(x)} are not different numbers above 0", "give each size once"))
    kept = {at: finite for at in sorted(found) if len(finite := found[at][np.isfinite(found[at])])}
    if len(kept) < least:
        raise SpecError(Fault("sizes", f"{len(kept)} have finite values", f"train at least {least} sizes"))
    sizes = Sizes(x=np.array(list(kept)), values=tuple(kept.values() if floor is None else _raised(kept, floor)))
    if sizes.freedom < freedom:
        what = f"{int(sizes.seeds.sum())} trainings of {len(kept)} sizes do not tell how seeds differ"
        raise SpecError(Fault("seeds", what, "train 3 seeds a size"))
    return sizes


def _raised(rows: dict[float, Floats], floor: float) -> list[Floats]:
    """Values no less than the floor. Raises `SpecError` where one has no logarithm."""
    raised = [np.maximum(row, floor) for row in rows.values()]
    least = min(float(row.min()) for row in raised)
    if least <= 0:
        what = f"an error of {least:g} has no logarithm"
        raise SpecError(Fault("errors", what, "give a floor, such as half an image's share"))
    return raised
