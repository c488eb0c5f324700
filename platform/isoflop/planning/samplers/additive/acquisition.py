"""How much a configuration promises."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, log_ndtr

from isoflop.planning.samplers.column import Floats


def log_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """The logarithm of the expected improvement over `best` (Ament et al. 2023, arXiv 2310.20708, section 4.1).

    The logarithm keeps configurations apart whose improvement is too small for a float.
    """
    z = (mean - best) / deviation
    near = np.maximum(z, -1.0)
    density = np.exp(-0.5 * near * near) / math.sqrt(2 * math.pi)
    found = np.log(density + near * np.exp(log_ndtr(near)))
    far = np.minimum(z, -1.0)
    # log(h(z)) = log of the density plus log(1 - |z| * Mills' ratio), which falls as 1 / z^2.
    rest = 1.0 - np.abs(far) * math.sqrt(math.pi / 2) * erfcx(np.abs(far) / math.sqrt(2))
    rest = np.where(np.abs(far) > 1e4, 1 / (far * far), np.maximum(rest, 1e-300))
    small = -0.5 * far * far - 0.5 * math.log(2 * math.pi) + np.log(rest)
    return np.where(z > -1.0, found, small) + np.log(deviation)
