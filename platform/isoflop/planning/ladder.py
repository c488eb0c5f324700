"""Verdicts at rungs: each is given once and stands."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from isoflop.pareto import ranks
from isoflop.plan import Verdict
from isoflop.planning.halving import places, verdict
from isoflop.planning.rungs import Rungs
from isoflop.planning.standing import Standing, passed
from isoflop.records import Trial
from isoflop.scores import score
from isoflop.study_spec import StudySpec

Scores = npt.NDArray[np.float64]
WIDEST = 512
"""Trials that a rung of several objectives compares at most, the latest ones: ranks cost their square."""


class Ladder:
    """What becomes of each trial at each rung of its bracket.

    In canonical order a trial is compared with those of lower numbers in its bracket. Asynchronously, with those that
    have arrived before it. A verdict costs O(trials) of memory traffic, once for each trial and rung.
    """

    def __init__(self, spec: StudySpec, rungs: Rungs, standing: Standing) -> None:
        self.spec, self.rungs, self.standing = spec, rungs, standing
        self._scores: dict[tuple[int, int], Column] = defaultdict(lambda: Column(len(spec.objectives)))
        self._given: dict[tuple[int, int], Verdict] = {}

    def take(self, trial: Trial, reports: int) -> None:
        """A trial changed, having made so many reports."""
        if not reports or reports not in self.rungs.rungs(trial.number):
            return
        column = self._scores[self.rungs.bracket(trial.number), reports]
        if trial.number not in column:
            column.put(trial.number, score(trial, reports, self.spec.objectives))
            if self.spec.asynchronous:
                self._given[trial.number, reports] = self._judge(trial.number, column, missing=0)

    def at(self, trial: Trial) -> int | None:
        """The rung at which an open trial stands, none where it is between rungs."""
        here = trial.reports in self.rungs.rungs(trial.number) and not trial.state.final
        return trial.reports if here else None

    def verdict(self, number: int, rung: int) -> Verdict:
        """What becomes of a trial that has reported at a rung of its bracket."""
        if (given := self._given.get((number, rung))) is not None:
            return given
        column = self._scores[self.rungs.bracket(number), rung]
        found = self._judge(number, column, missing=self._missing(number, rung))
        if found is not Verdict.WAIT:
            self._given[number, rung] = found
        return found

    def _missing(self, number: int, rung: int) -> int:
        """How many trials of a lower number in the same bracket may still report there."""
        bracket, trials = self.rungs.bracket(number), self.standing.trials
        first = self.standing.frontier(rung)
        return sum(self.rungs.bracket(m) == bracket and not passed(trials[m], rung) for m in range(first, number))

    def _judge(self, number: int, column: Column, *, missing: int) -> Verdict:
        assert self.spec.halving is not None, "a rung without halving"
        others = column.all_but(number) if self.spec.asynchronous else column.below(number)
        better = _better(column[number], others)
        return verdict(better, len(others), missing, places(self.spec.halving))


class Column:
    """Scores at one rung by number; what is not finite is the worst there is."""

    def __init__(self, width: int) -> None:
        self._rows: Scores = np.full((64, width), np.nan)

    def __contains__(self, number: int) -> bool:
        """Whether a trial has a score here."""
        return number < len(self._rows) and not np.isnan(self._rows[number, 0])

    def __getitem__(self, number: int) -> Scores:
        """The scores of a trial (objectives,)."""
        row: Scores = self._rows[number]
        return row

    def put(self, number: int, found: tuple[float, ...] | None) -> None:
        """Note a trial's scores."""
        while number >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)])
        self._rows[number] = -np.inf if found is None else found

    def below(self, number: int) -> Scores:
        """The scores of the trials with lower numbers (trials, objectives)."""
        rows = self._rows[:number]
        return rows[~np.isnan(rows[:, 0])]

    def all_but(self, number: int) -> Scores:
        """The scores of all others (trials, objectives)."""
        there = ~np.isnan(self._rows[:, 0])
        there[number] = False
        return self._rows[there]


def _better(own: Scores, others: Scores) -> int:
    """How many are better: of several objectives, those of a lower non-dominated rank."""
    if len(own) == 1:
        return int((others[:, 0] > own[0]).sum())
    found = ranks(np.vstack([own, others[-WIDEST:]]), ["maximize"] * len(own))
    share = float((found[1:] < found[0]).mean()) if len(others) else 0.0
    return round(share * len(others))
