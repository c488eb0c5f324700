"""Which trials of a search are its best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from isoflop.pareto import Direction, crowding, ranks
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
    found = [t for t in trials if t.state is State.COMPLETE and not violation(t, t.reports, constraints)]
    scored = [(trial, scores) for trial in found if (scores := score(trial, trial.reports, objectives)) is not None]
    if not scored:
        return []
    values = np.asarray([scores for _, scores in scored])
    if values.shape[1] == 1:
        order = np.argsort(-values[:, 0], kind="stable")
    else:
        directions: list[Direction] = ["maximize"] * values.shape[1]
        order = np.lexsort((-crowding(values, directions), ranks(values, directions)))
    return [scored[place][0] for place in order[:top]]
