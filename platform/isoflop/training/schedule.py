"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from isoflop.config import ScheduleConfig


def rate(step: int, steps: int, peak: float, config: ScheduleConfig) -> float:
    """Learning rate of a step counted from 0, of a training of `steps` steps.

    Linear warm-up from 0, then cosine annealing (Loshchilov & Hutter 2017, arXiv 1608.03983, equation 5) or constant.
    """
    warmup = round(config.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    if config.name == "constant":
        return peak
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (config.final + (1 - config.final) * (1 + math.cos(math.pi * progress)) / 2)
