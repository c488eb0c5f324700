"""How good a search was at any time: its best score against what it had spent, and what the last tenth gained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from isoflop.analysis.spending import Cost
from isoflop.choice import choose
from isoflop.records import Trial
from isoflop.study_spec import Constraint, Objective

Axis: TypeAlias = Literal["trials", "flops", "seconds"]
AXES: tuple[Axis, ...] = ("flops", "seconds", "trials")
TAIL = 0.1
"""The share of what was spent whose gain is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """How a search stood once trials up to one were over."""

    number: int
    trials: int
    """Trials that took something from the budget."""
    flops: float
    """Training FLOPs of all of them."""
    seconds: float
    """Seconds on workers of all of them."""
    best: float | None
    """The objective of the best so far; none while no trial was COMPLETE within the constraints."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tail:
    """What the last part of a search was worth."""

    axis: Axis
    before: float | None
    """The best score when all but the last tenth was spent."""
    best: float | None
    gain: float | None
    """By how much the last tenth made it better, 0 or more; none where nothing stood before it."""
    trials: int
    """Trials in the last tenth."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def anytime(trials: Iterable[Trial], objective: Objective, constraints: Sequence[Constraint] = ()) -> list[Point]:
    """One point a trial, in the order of their numbers, which is that of the suggestions and not of arrival.

    A trial that was cut, failed or was killed adds what it spent and never a score, INFEASIBLE and DUPLICATE ones
    change nothing, and open ones are left out.
    """
    points: list[Point] = []
    cost, best, charged = Cost(), None, 0
    for trial in sorted(trials, key=lambda trial: trial.key):
        if trial.free or not trial.state.final:
            continue
        cost, charged = cost + Cost.of(trial), charged + 1
        if choose([trial], [objective], constraints, 1):
            best = better(best, trial.value(objective.metric), objective)
        points.append(Point(number=trial.number, trials=charged, flops=cost.flops, seconds=cost.seconds, best=best))
    return points


def better(a: float | None, b: float, objective: Objective) -> float:
    """The better of two scores."""
    return b if a is None or objective.sign * b > objective.sign * a else a


def steps(points: Sequence[Point]) -> list[Point]:
    """The points at which the best score changed, and the last one."""
    changed = [*points[:1]] + [one for before, one in pairwise(points) if before.best != one.best]
    return changed + [one for one in points[-1:] if one not in changed]


def tail(points: Sequence[Point], objective: Objective, axis: Axis = "flops") -> Tail:
    """What the last tenth of what was spent has gained; trials that began before it and ended in it count to it."""
    spent = [getattr(one, axis) for one in points]
    limit = (1 - TAIL) * spent[-1] if spent else 0.0
    early = [one for one, so_far in zip(points, spent, strict=True) if so_far <= limit]
    before, best = (found[-1].best if found else None for found in (early, points))
    gain = objective.sign * (best - before) if before is not None and best is not None else None
    return Tail(axis=axis, before=before, best=best, gain=gain, trials=len(points) - len(early))
