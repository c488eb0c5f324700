"""What rows came to, read off a history."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isoflop.journal.history import History
from isoflop.planning.scaling.row import Row
from isoflop.records import Key, State, Trial
from isoflop.tasks import metric_of


@dataclass(frozen=True, slots=True)
class Results:
    """The trainings of a scaling study as far as they came."""

    history: History
    metric: str
    """What trainings are judged by: on validation."""
    floor: float
    """The smallest error above 0 that there can be."""

    def trials(self, row: Row) -> tuple[Trial, ...]:
        """The trainings of a row that have begun, by seed."""
        keys = [Key(trial=row.number, replicate=replicate) for replicate in range(len(row.seeds))]
        return tuple(self.history.trials[key] for key in keys if key in self.history.trials)

    def final(self, row: Row) -> bool:
        """Whether all trainings of a row have ended, one way or another."""
        trials = self.trials(row)
        return len(trials) == len(row.seeds) and all(trial.state.final for trial in trials)

    def errors(self, row: Row) -> tuple[float, ...]:
        """The error of each training of a row that is COMPLETE, by seed; what diverged or failed has none."""
        found = [error(trial, self.metric) for trial in self.trials(row) if trial.state is State.COMPLETE]
        return tuple(value for value in found if math.isfinite(value))


def error(trial: Trial, metric: str) -> float:
    """What is made small: a metric of which less is better as it is, one in [0, 1] of which more is, less 1."""
    value, known = trial.value(metric), metric_of(metric)
    return 1 - value if known is not None and known.sign > 0 else value
