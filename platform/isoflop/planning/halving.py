"""Successive halving in canonical order (Jamieson & Talwalkar 2016, arXiv 1502.07943).

A trial's verdict at a rung depends on the trials with lower numbers alone, so it does not depend on who arrived first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from isoflop.plan import Verdict
from isoflop.records import Trial
from isoflop.study_spec import Objective


def passed(trial: Trial, rung: int) -> bool:
    """Whether a trial has reported at a rung, or never will."""
    return trial.reports >= rung or trial.state.final


def verdict(number: int, rung: int, trials: Mapping[int, Trial], eta: int, objective: Objective) -> Verdict:
    """What becomes of a trial that stands at a rung.

    It waits until every trial with a lower number has passed the rung, then goes on if it is among the best 1 in
    `eta` (at least one) of the trials up to its own number that reported there.
    """
    earlier = [trials[n] for n in range(number)]
    if not all(passed(trial, rung) for trial in earlier):
        return Verdict.WAIT
    cohort = [value_at(t, rung, objective) for t in earlier if t.reports >= rung]
    own = value_at(trials[number], rung, objective)
    better = sum(value > own for value in cohort)
    return Verdict.GO if better < max(1, (len(cohort) + 1) // eta) else Verdict.STOP


def value_at(trial: Trial, rung: int, objective: Objective) -> float:
    """The objective at a rung, more being better; what is not finite is worst."""
    value = trial.records[rung - 1].metrics.get(objective.metric, math.nan)
    return objective.sign * value if math.isfinite(value) else -math.inf


def rung_of(trial: Trial, rungs: Sequence[int]) -> int | None:
    """The rung at which an open trial stands, none where it is between rungs."""
    return trial.reports if trial.reports in rungs and not trial.state.final else None
