"""What a training says when it reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from isoflop.errors import DivergedError
from isoflop.length import Length
from isoflop.records import Record

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def record_of(
    length: Length,
    report: int,
    *,
    metrics: Mapping[str, float],
    measured: Mapping[str, float],
    observed: Mapping[str, float] = NOTHING,
    taken: int | None = None,
) -> Record:
    """The record of a report, counted from 1. Raises `DivergedError` where a metric is not finite.

    It stands where the axis is at that report, also of a training that took but `taken` steps.
    """
    end = length.reports[report - 1]
    step = end if taken is None else taken
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergedError(end, name)
    return Record(
        report=report,
        step=step,
        epoch=step / length.epoch,
        images=step * length.batch,
        flops=length.spent(step),
        fidelity=length.fidelity(end),
        metrics=metrics,
        measured=measured,
        observed=dict(observed),
    )
