"""What a search plan knows of a history: it follows the changes, so that a decision costs what is new."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

from isoflop.journal.history import History
from isoflop.plan import Proposal, Verdict
from isoflop.planning.ladder import Ladder
from isoflop.planning.length import Lengths
from isoflop.planning.rungs import Rungs
from isoflop.planning.spending import Spending
from isoflop.planning.standing import Standing
from isoflop.planning.view import View
from isoflop.records import Key, State, Trial
from isoflop.space import FAMILY, SearchSpace
from isoflop.study_spec import StudySpec

ALIKE = 8
"""Trials that fail alike, before any other has trained to a rung, after which a search is given up."""


class Progress:
    """How far a search has come. Equal histories give equal progress, followed step by step or taken in at once."""

    def __init__(self, spec: StudySpec, space: SearchSpace, lengths: Lengths, history: History) -> None:
        self.history = history
        self.standing = Standing(history)
        self.ladder = Ladder(spec, Rungs.of(spec))
        self.view = View(spec, space, self.ladder, self.standing)
        self.spending = Spending(spec.budget, lengths, self.standing, self.view)
        self._twins: dict[tuple[bool, str], int] = {}
        """Which trial of an arm was the first with a fingerprint, of those that were not settled at once."""
        self.defaults: set[str] = set()
        """Families whose default was proposed."""
        self.enqueued = 0
        """How many of the enqueued configurations were proposed."""
        self.proposed: tuple[int, Proposal] | None = None
        """The last proposal and its number: it is asked for after every event until it starts."""
        self._open: dict[Key, Trial] = {}
        self._rungs: dict[Key, int] = {}
        """Of the open trials that stand at a rung, which."""
        self._begun = 0

    @property
    def count(self) -> int:
        """How many trials there are."""
        return len(self.standing.trials)

    @property
    def barren(self) -> int:
        """How many trials in a row, up to the last, were free."""
        trials = self.standing.trials
        first = next((n for n in range(len(trials), 0, -1) if not trials[n - 1].free), 0)
        return len(trials) - first

    def twin(self, number: int, fingerprint: str) -> int | None:
        """The first trial of a trial's own arm that has a fingerprint, of those that were not settled at once."""
        return self._twins.get((self.ladder.rungs.arms.control(number), fingerprint))

    def advance(self) -> None:
        """Take in what changed."""
        for trial, reports in self.standing.advance():
            if trial.number == self._begun:
                self._begin(trial)
            self.ladder.take(trial, reports)
            self._note(trial)

    def verdicts(self, *, measured: bool) -> dict[Key, Verdict]:
        """What becomes of each open trial that stands at a rung, or whose latency is wanted and not known."""
        found = {key: self.ladder.verdict(key.trial, rung) for key, rung in self._rungs.items()}
        if measured:
            found |= {key: Verdict.GO for key, trial in self._open.items() if not trial.reports}
            found |= {key: Verdict.MEASURE for key, trial in self._open.items() if trial.latency is None}
        return found

    def alike(self, number: int) -> bool:
        """Whether all trials that trial `number` sees have failed before they reported, several of them alike."""
        causes: Counter[str] = Counter()
        for trial in islice(self.standing.trials, max(0, number - self.view.nearest)):
            if trial.free:
                continue
            if trial.state is not State.FAILED or trial.reports:
                return False
            causes[cause(trial.reason)] += 1
        return max(causes.values(), default=0) >= ALIKE

    def _note(self, trial: Trial) -> None:
        """Keep what is open, and what of it stands at a rung."""
        key = trial.key
        self._open.pop(key, None)
        self._rungs.pop(key, None)
        if not trial.state.final:
            self._open[key] = trial
        if (rung := self.ladder.at(trial)) is not None:
            self._rungs[key] = rung

    def _begin(self, trial: Trial) -> None:
        """A trial was proposed."""
        self._begun += 1
        if not trial.free:
            self._twins.setdefault((self.ladder.rungs.arms.control(trial.number), trial.proposed), trial.number)
        if trial.source == "default":
            self.defaults.add(str(trial.config[FAMILY]))
        self.enqueued += trial.source == "enqueued"


def told(reason: str) -> str:
    """What a failure says last: the line that says what went wrong."""
    return reason.strip().rpartition("\n")[2]


def cause(reason: str) -> str:
    """What failures have in common: what they say last, without its numbers."""
    return re.sub(r"\d+(\.\d+)?", "#", told(reason))
