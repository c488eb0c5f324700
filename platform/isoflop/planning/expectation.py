"""What an open training will report at its end, with a band, from its reports and those of the finished ones."""

from __future__ import annotations

import math
from collections.abc import Callable

from isoflop.fitting.band import Band
from isoflop.fitting.learning_curve import extrapolate
from isoflop.journal.history import History
from isoflop.records import State, Trial
from isoflop.tasks import metric_of


def expectation(history: History, metric: str) -> Callable[[Trial], Band | None]:
    """Tells of a trial what a metric of its validation will be at its last report; none where there is nothing to say.

    Nothing is said of a trial without reports, or with one that is not finite, and of what is no metric; nor where few
    reports and few finished trials are known, so that the band would reach over all that can be.
    """
    known = metric_of(metric)
    if known is None:
        return lambda _: None
    limits = (0.0, 1.0) if known.share else (0.0, math.inf)
    finished = [_curve(trial, metric) for trial in history.trials.values() if trial.state is State.COMPLETE]

    def expected(trial: Trial) -> Band | None:
        seen, reports = _curve(trial, metric), int(trial.config.get("train.reports") or 0)
        if not seen or not reports or not all(map(math.isfinite, seen)):
            return None
        band = extrapolate(seen, reports, finished, limits=limits)
        return None if (band.low, band.high) == limits else band

    return expected


def _curve(trial: Trial, metric: str) -> list[float]:
    return [record.metrics.get(metric, math.nan) for record in trial.records]
