"""How fast this machine trains a configuration, timed on a few steps."""

from __future__ import annotations

import time
from pathlib import Path

from isoflop.config import TrialConfig
from isoflop.errors import IsoflopError
from isoflop.trial import Given, TrialRun

PROBE = 8
"""Steps that are timed."""


def speed(config: TrialConfig, seed: int, data: Path) -> float:
    """Training FLOPs a second of a configuration on this machine, measured on one device of it."""
    alone = config.model_copy(update={"train": config.train.model_copy(update={"devices": 1})})
    try:
        run = TrialRun(alone, seed, Given(data=data))
    except IsoflopError:
        return 1e9  # the default is not legal here; a guess is better than no estimate
    run.fit.advance(2)
    began = time.perf_counter()
    run.fit.advance(2 + PROBE)
    return config.train.devices * run.fit.length.spent(PROBE) / (time.perf_counter() - began)
