"""Verdicts at rungs: each is given once and stands."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from isoflop.pareto import ranks
from isoflop.plan import Verdict
from isoflop.planning.halving import places, verdict
from isoflop.planning.rungs import Rungs
from isoflop.records import Trial
from isoflop.scores import score
from isoflop.study_spec import StudySpec

Scores = npt.NDArray[np.float64]
WIDEST = 512
"""Trials that a rung of several objectives compares at most, the latest ones: ranks cost their square."""


class Ladder:
    """What becomes of each trial at each rung of its bracket.

    In canonical order a trial is compared with those of lower numbers in its arm and bracket. Asynchronously, with
    those that have arrived before it. A verdict costs O(trials) of memory traffic, once for each trial and rung, and
    for one that waits there again whenever one of a lower number has come as far or ended.
    """

    def __init__(self, spec: StudySpec, rungs: Rungs) -> None:
        self.spec, self.rungs = spec, rungs
        self._columns: dict[tuple[tuple[bool, int], int], Column] = defaultdict(lambda: Column(len(spec.objectives)))
        self._given: dict[tuple[int, int], Verdict] = {}
        self._waits: dict[tuple[int, int], int] = {}
        """Of each trial that waits at a rung, how many were missing when it was judged last."""

    def take(self, trial: Trial, reports: int) -> None:
        """A trial changed, having made so many reports."""
        for rung in self.rungs.rungs(trial.number):
            column = self._column(trial.number, rung)
            if trial.reports >= rung or trial.state.final:
                column.pass_by(trial.number)
            else:
                column.expect(trial.number)
            if reports == rung and trial.number not in column:
                column.put(trial.number, score(trial, reports, self.spec.objectives))
                if self.spec.asynchronous:
                    self._given[trial.number, rung] = self._judge(trial.number, column, missing=0)

    def at(self, trial: Trial) -> int | None:
        """The rung at which an open trial stands, none where it is between rungs."""
        here = trial.reports in self.rungs.rungs(trial.number) and not trial.state.final
        return trial.reports if here else None

    def verdict(self, number: int, rung: int) -> Verdict:
        """What becomes of a trial that has reported at a rung of its bracket."""
        if (given := self._given.get((number, rung))) is not None:
            return given
        column = self._column(number, rung)
        missing = column.missing(number)
        if self._waits.get((number, rung)) == missing:
            return Verdict.WAIT  # none of a lower number came since
        found = self._judge(number, column, missing=missing)
        if found is Verdict.WAIT:
            self._waits[number, rung] = missing
        else:
            self._given[number, rung] = found
            self._waits.pop((number, rung), None)
        return found

    def _column(self, number: int, rung: int) -> Column:
        return self._columns[self.rungs.group(number), rung]

    def _judge(self, number: int, column: Column, *, missing: int) -> Verdict:
        assert self.spec.halving is not None, "a rung without halving"
        if missing and len(self.spec.objectives) > 1:
            return Verdict.WAIT  # one more trial may change the ranks of all, so nothing can be said before it
        others = column.all_but(number) if self.spec.asynchronous else column.below(number)
        better = _better(column[number], others)
        return verdict(better, len(others), missing, places(self.spec.halving))


class Column:
    """Scores at one rung of a bracket by number, and who may still come; what is not finite is the worst there is."""

    def __init__(self, width: int) -> None:
        self._rows: Scores = np.full((64, width), np.nan)
        self._awaited = np.zeros(64, dtype=np.bool_)

    def __contains__(self, number: int) -> bool:
        """Whether a trial has a score here."""
        return number < len(self._rows) and not np.isnan(self._rows[number, 0])

    def __getitem__(self, number: int) -> Scores:
        """The scores of a trial (objectives,)."""
        row: Scores = self._rows[number]
        return row

    def expect(self, number: int) -> None:
        """A trial may come."""
        self._grow(number)
        self._awaited[number] = True

    def pass_by(self, number: int) -> None:
        """A trial has come, or never will."""
        self._grow(number)
        self._awaited[number] = False

    def missing(self, number: int) -> int:
        """How many trials of lower numbers may still come."""
        return int(np.count_nonzero(self._awaited[:number]))

    def put(self, number: int, found: tuple[float, ...] | None) -> None:
        """Note a trial's scores."""
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

    def _grow(self, number: int) -> None:
        while number >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.full_like(self._rows, np.nan)])
            self._awaited = np.concatenate([self._awaited, np.zeros_like(self._awaited)])


def _better(own: Scores, others: Scores) -> int:
    """How many are better: of several objectives, those of a lower non-dominated rank."""
    if len(own) == 1:
        return int((others[:, 0] > own[0]).sum())
    found = ranks(np.vstack([own, others[-WIDEST:]]), ["maximize"] * len(own))
    share = float((found[1:] < found[0]).mean()) if len(others) else 0.0
    return round(share * len(others))
