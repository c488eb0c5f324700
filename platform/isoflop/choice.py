"""Which trials of a search are its best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from isoflop.pareto import Direction, crowding, ranks
from isoflop.pareto import front as unbeaten
from isoflop.records import State, Trial
from isoflop.scores import score, violation
from isoflop.study_spec import Constraint, Objective


def choose(
    trials: Iterable[Trial], objectives: Sequence[Objective], constraints: Sequence[Constraint], top: int
) -> Sequence[Trial]:
    """The best COMPLETE trials that break no constraint, best first; of equals the lower number.

    Of several objectives, by non-dominated rank and within a rank by crowding distance, the emptiest places first (Deb
    et al. 2002), so that they spread over the front.
    """
    found, values, directions = _scored(trials, objectives, constraints)
    if len(objectives) == 1:
        order = np.argsort(-values[:, 0], kind="stable")
    else:
        order = np.lexsort((-crowding(values, directions), ranks(values, directions)))
    return [found[place] for place in order[:top]]


def distinct(trials: Iterable[Trial]) -> Sequence[Trial]:
    """The first of each configuration: both arms of a search may have trained one."""
    found: dict[str, Trial] = {}
    for trial in trials:
        found.setdefault(trial.fingerprint, trial)
    return [*found.values()]


def front(
    trials: Iterable[Trial], objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> Sequence[Trial]:
    """The COMPLETE trials that break no constraint and that no other beats in every objective, by number."""
    found, values, directions = _scored(trials, objectives, constraints)
    return [found[place] for place in unbeaten(values, directions)]


def _scored(
    trials: Iterable[Trial], objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> tuple[list[Trial], npt.NDArray[np.float64], list[Direction]]:
    """What can be chosen, with its scores (trials, objectives) and their directions."""
    fine = [t for t in trials if t.state is State.COMPLETE and not violation(t, t.reports, constraints)]
    scored = [(trial, scores) for trial in fine if (scores := score(trial, trial.reports, objectives)) is not None]
    values = np.array([scores for _, scores in scored], dtype=np.float64).reshape(-1, len(objectives))
    return [trial for trial, _ in scored], values, ["maximize"] * len(objectives)
