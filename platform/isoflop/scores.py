"""Objectives of a trial as scores: one for each, more being better."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isoflop.records import State, Trial
from isoflop.study_spec import Constraint, Objective

BROKEN = 1.0
"""Violation of what cannot be had for a reason that has no measure."""


def score(trial: Trial, report: int, objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """The scores of a trial at a report, none where one of them is not a finite number."""
    found = tuple(o.sign * trial.value_at(report, o.metric) for o in objectives)
    return found if all(map(math.isfinite, found)) else None


def violation(trial: Trial, report: int, constraints: Sequence[Constraint]) -> float:
    """By which share of their bounds constraints are broken at a report, summed; 0 where all hold or are not known."""
    if trial.state in {State.INFEASIBLE, State.FAILED}:
        return sum(_excess(trial, 0, c) for c in constraints) or BROKEN
    return sum(_excess(trial, report, c) for c in constraints)


def _excess(trial: Trial, report: int, constraint: Constraint) -> float:
    value = trial.value_at(report, constraint.quantity)
    return max(0.0, constraint.excess({constraint.quantity: value})) if math.isfinite(value) else 0.0
