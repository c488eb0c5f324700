"""What Optuna's TPE is told: a look at the study's trials each time it is asked for parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from optuna import Study
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial


@contextmanager
def overheard() -> Iterator[list[list[FrozenTrial]]]:
    """While the context lasts, keep the trials that each suggestion is made from, in order."""
    kept: list[list[FrozenTrial]] = []
    inner = TPESampler.before_trial

    def before_trial(self: TPESampler, study: Study, trial: FrozenTrial) -> None:
        kept.append([one for one in study.get_trials(deepcopy=False) if one.number != trial.number])
        inner(self, study, trial)

    with patch.object(TPESampler, "before_trial", before_trial):
        yield kept


def counts(trials: list[FrozenTrial]) -> dict[str, int]:
    """How many it holds for COMPLETE, PRUNED, or anything else; broken constraints count as INFEASIBLE."""
    found = Counter("INFEASIBLE" if any(v > 0 for v in one.constraints.values()) else one.state.name for one in trials)
    return dict(found)
