"""Puts trials that were stopped at different reports on one scale, without taking any for what it is not.

At the first report every trial can be compared with every other, at later ones those that came so far. So the scores
of the first report, sorted, are slots; a trial that was stopped there keeps its own slot, and those that went on share
theirs out anew, in the order in which they stand at later reports, by the same rule. Two trials are thus ordered by the
last report that both have, as far as the others allow, and a score of an early report is never compared with one of a
late report. Trials that all end at one report keep their scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isoflop import pareto
from isoflop.planning.samplers.protocol import Observation
from isoflop.records import State

Floats = npt.NDArray[np.float64]

BROKEN = frozenset({State.INFEASIBLE, State.FAILED})
VIOLATED = 1.0
"""Violation of what cannot be had for a reason that has no measure."""


def violation(one: Observation) -> float:
    """By how much a trial is not to be had; 0 where it is."""
    return one.violation or (VIOLATED if one.state in BROKEN else 0.0)


def informed(seen: Sequence[Observation]) -> list[Observation]:
    """Those that can be had and have scores, in whatever state."""
    return [one for one in seen if one.scores and not violation(one)]


def telling(seen: Sequence[Observation]) -> list[Observation]:
    """Those that have scores or cannot be had."""
    return [one for one in seen if one.scores or violation(one)]


def merits(seen: Sequence[Observation]) -> Floats:
    """A value for each trial and objective, (trials, objectives), more being better; all must have scores."""
    if not seen:
        return np.zeros((0, 1))
    reports = sorted({one.last for one in seen})
    last = np.array([one.last for one in seen])
    found = np.array([one.scores[one.last] for one in seen], dtype=np.float64)
    for report in reversed(reports[:-1]):
        here, later = np.flatnonzero(last >= report), np.flatnonzero(last > report)
        now = np.array([_score(seen[place], report) for place in here.tolist()])
        slots = now[np.searchsorted(here, later)]
        found[here[last[here] == report]] = now[last[here] == report]
        for column in range(found.shape[1]):
            order = later[np.argsort(found[later, column], kind="stable")]
            found[order, column] = np.sort(slots[:, column])
    return found


def order(seen: Sequence[Observation], most: int) -> list[int]:
    """Places of the trials that tell something, best first, so many at most.

    What can be had comes before what cannot. Of the first, one objective is ordered by merit and several by rank of
    non-domination, then by crowding (Deb et al. 2002); the others by violation, least first (the same, section VI).
    Equal ones stand in the order of their numbers.
    """
    fine = [place for place, one in enumerate(seen) if one.scores and not violation(one)]
    broken = [place for place, one in enumerate(seen) if violation(one)]
    broken.sort(key=lambda place: violation(seen[place]))
    best = _best(merits([seen[place] for place in fine]), most)
    return ([fine[place] for place in best] + broken)[:most]


def kept(seen: Sequence[Observation], most: int) -> list[Observation]:
    """So many at most: the best half, and of the others the latest."""
    if len(seen) <= most:
        return list(seen)
    best = set(order(seen, most // 2))
    latest = [place for place in range(len(seen)) if place not in best][-(most - len(best)) :]
    return [seen[place] for place in sorted({*best, *latest})]


def _best(values: Floats, most: int) -> list[int]:
    """Places of the best rows, front by front, no more fronts than it takes."""
    if values.shape[1] == 1:
        return [int(place) for place in np.argsort(-values[:, 0], kind="stable")[:most]]
    directions: list[pareto.Direction] = ["maximize"] * values.shape[1]
    found: list[int] = []
    left = np.arange(len(values))
    while len(left) and len(found) < most:
        front = left[pareto.front(values[left], directions)]
        found += front[np.argsort(-pareto.crowding(values[front], directions), kind="stable")].tolist()
        left = np.setdiff1d(left, front)
    return found[:most]


def _score(one: Observation, report: int) -> tuple[float, ...]:
    """The scores at a report, or at the next that has some."""
    return one.scores.get(report) or one.scores[min(r for r in one.scores if r >= report)]
