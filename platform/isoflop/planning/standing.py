"""How far the trials of a history have come."""

from __future__ import annotations

from collections.abc import Iterator

from isoflop.journal.history import History
from isoflop.records import Trial


class Standing:
    """The trials of a history by number, and up to which number all have passed a report.

    It follows the history's changes: each is looked at once.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.trials: list[Trial] = []
        self._taken = 0
        self._frontiers: dict[int, int] = {}

    def advance(self) -> Iterator[tuple[Trial, int]]:
        """The trials that changed since the last call, in order of arrival, with the reports that each had made."""
        changes = self.history.changes
        while self._taken < len(changes):
            key, reports = changes[self._taken]
            self._taken += 1
            trial = self.history.trials[key]
            if key.trial == len(self.trials):
                self.trials.append(trial)
            self.trials[key.trial] = trial
            yield trial, reports

    def frontier(self, report: int) -> int:
        """The lowest number whose trial has neither reported so far nor ended; all below it have."""
        at = self._frontiers.get(report, 0)
        while at < len(self.trials) and passed(self.trials[at], report):
            at += 1
        self._frontiers[report] = at
        return at


def passed(trial: Trial, report: int) -> bool:
    """Whether a trial has made a report, or never will."""
    return trial.reports >= report or trial.state.final
