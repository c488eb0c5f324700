"""What is measured: trainings of shapes, several seeds each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from isoflop.errors import InputError
from isoflop.statistics import Floats

SPARE = 3
"""Shapes that are needed beyond the coefficients: fewer say next to nothing of the noise."""
SPAN = 1.5
"""Times of FLOPs that the shapes must cover at least, for a growth to be seen."""
APART = 0.03
"""Least standard deviation of the logs in any direction: below it all shapes lie on a line or in a plane."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainings:
    """n trainings of m shapes."""

    shapes: Floats
    """(m, 3): natural logs of depth, width and resolution over the base's."""
    log_flops: Floats
    """(m,)."""
    values: Floats
    """(n,): errors above 0."""
    shape_of: npt.NDArray[np.intp]
    """(n,): the row of each training's shape."""

    @classmethod
    def of(
        cls, shapes: npt.ArrayLike, log_flops: npt.ArrayLike, values: npt.ArrayLike, shape_of: npt.NDArray[Any]
    ) -> Self:
        """Trainings, one a row in all four; raises `InputError` where they are none that can be fitted."""
        logs, flops, errors = (np.asarray(one, dtype=np.float64) for one in (shapes, log_flops, values))
        n = len(errors)
        if logs.shape != (n, 3) or flops.shape != (n,) or np.shape(shape_of) != (n,):
            sizes = ", ".join(str(np.shape(one)) for one in (logs, flops, errors, shape_of))
            raise InputError(f"a fit needs (n, 3) shapes and n log FLOPs, values and shape numbers, but got {sizes}")
        if not all(np.all(np.isfinite(one)) for one in (logs, flops, errors)):
            raise InputError("a fit needs finite numbers; leave trainings that diverged out")
        if np.any(errors <= 0):
            raise InputError("a fit needs errors above 0, for it takes their log; use a loss where nothing was wrong")
        _, first, place = np.unique(shape_of, return_index=True, return_inverse=True)
        together = np.column_stack([logs, flops])
        if not np.allclose(together, together[first][place]):
            raise InputError("trainings of one shape number differ in their shape or FLOPs; number the shapes anew")
        return cls(shapes=logs[first], log_flops=flops[first], values=errors, shape_of=place)

    def check(self, coefficients: int, varied: tuple[int, ...]) -> None:
        """Raise `InputError` where the shapes are too few for so many coefficients, or too much alike."""
        if not varied:
            raise InputError("no dimension was varied by 10 %; vary depth, width or resolution")
        covered = float(np.exp(np.ptp(self.log_flops)))
        if covered < SPAN:
            raise InputError(f"the shapes cover {covered:.3g} times of FLOPs and need {SPAN:g} at least; add levels")
        needed = coefficients + SPARE
        if len(self.shapes) < needed:
            names = "1 dimension" if len(varied) == 1 else f"{len(varied)} dimensions"
            few = f"{len(self.shapes)} shapes are too few"
            raise InputError(f"{few}: a fit over {names} needs {needed}; train more shapes a level")
        logs = self.shapes[:, list(varied)]
        if np.linalg.svd(logs - logs.mean(axis=0), compute_uv=False)[-1] < APART * np.sqrt(len(logs)):
            raise InputError(
                "the dimensions were varied together alone; add shapes with more of one and less of another"
            )
