"""How likely a configuration can be had: trained at all, without diverging, within the constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from isoflop.planning.samplers.additive.posterior import Posterior
from isoflop.planning.samplers.column import Floats

DOUBT = 0.1
"""Variance that is added to the model's own, so that nothing is ever ruled out."""


@dataclass(frozen=True, slots=True)
class Feasibility:
    """A regression on labels, 1 for what could be had and -1 for what could not."""

    model: Posterior

    def log_probability(self, rows: Floats) -> Floats:
        """The logarithm of the probability at rows: that of the regression being above 0."""
        mean, deviation = self.model.at(rows)
        return log_ndtr(mean / np.sqrt(deviation**2 + DOUBT))
