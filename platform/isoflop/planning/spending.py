"""What a study has spent, and whether its budget allows another trial.

A trial counts what it is seen to have spent, and what lies before it up to its next rung; so the sum is known when
a trial may be suggested, whatever has been trained beyond that, and only grows.
"""

from __future__ import annotations

from isoflop.config import TrialConfig
from isoflop.length import Length
from isoflop.plan import Verdict
from isoflop.planning.length import Lengths
from isoflop.planning.standing import Standing
from isoflop.planning.view import View
from isoflop.records import Trial
from isoflop.study_spec import Budget


class Spending:
    """Epochs and training FLOPs of a study's trials."""

    def __init__(self, budget: Budget, lengths: Lengths, standing: Standing, view: View) -> None:
        self.budget, self.standing, self.view = budget, standing, view
        self._of = lengths
        self._charges = 0
        self._taken = 0
        self._lengths: dict[int, Length] = {}

    def exhausted(self, number: int) -> bool:
        """Whether trial `number` must not start any more. The view of the trial must be complete."""
        if self.budget.trials is not None and self.charged(number) >= self.budget.trials:
            return True
        left = 1.0 - self.budget.reserve
        epochs, flops = self.budget.epochs, self.budget.flops
        if epochs is None and flops is None:
            return False
        spent = [self._spent(self.standing.trials[m], self.view.reports(m, number)) for m in range(number)]
        return (epochs is not None and sum(e for e, _ in spent) >= epochs * left) or (
            flops is not None and sum(f for _, f in spent) >= flops * left
        )

    def charged(self, number: int) -> int:
        """How many trials before `number` were not free."""
        if number < self._taken:
            self._taken = self._charges = 0
        while self._taken < number:
            self._charges += not self.standing.trials[self._taken].free
            self._taken += 1
        return self._charges

    def _spent(self, trial: Trial, seen: int) -> tuple[float, float]:
        """Epochs and training FLOPs of a trial that is seen up to a report."""
        if trial.free:
            return 0.0, 0.0
        length, report = self._length(trial), self._goal(trial, seen)
        step = length.reports[report - 1] if report else 0
        return step / length.epoch, length.spent(step)

    def _goal(self, trial: Trial, seen: int) -> int:
        """The report up to which a trial that is seen so far is sure to go."""
        if trial.reports < seen:
            return trial.reports
        ladder = self.view.ladder
        if seen in ladder.rungs.rungs(trial.number) and ladder.verdict(trial.number, seen) is Verdict.STOP:
            return seen
        return next((level for level in ladder.rungs.levels if level > seen), seen)

    def _length(self, trial: Trial) -> Length:
        if trial.number not in self._lengths:
            self._lengths[trial.number] = self._of.of(TrialConfig.from_params(trial.config), trial.flops)
        return self._lengths[trial.number]
