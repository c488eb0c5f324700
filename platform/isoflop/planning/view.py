"""What the suggestion of a trial may see of the others: fixed by the look-ahead, never by who arrived first.

Trial n starts once trials up to n - L have passed the first rung, and those up to n - L * r / (first rung) - L / 2 a
later report r, up to the horizon. Its suggestion sees those records and no others, though more may stand in the
journal. The half of L is for the rungs below, where a trial may have waited. Of two arms each sees its own trials
alone, numbered within it, as though the other were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

from isoflop.plan import Verdict
from isoflop.planning.ladder import Ladder
from isoflop.planning.samplers.protocol import Observation
from isoflop.planning.standing import Standing
from isoflop.records import State, Trial
from isoflop.scores import score, violation
from isoflop.space import SearchSpace
from isoflop.study_spec import StudySpec


class View:
    """The trials as suggestions see them, taken along from number to number: each step looks at a trial a level."""

    def __init__(self, spec: StudySpec, space: SearchSpace, ladder: Ladder, standing: Standing) -> None:
        self.spec, self.space, self.ladder, self.standing = spec, space, ladder, standing
        levels = ladder.rungs.levels
        self.distances = distances(spec.look_ahead, levels)
        """How far back a trial stands that is seen up to a report."""
        self.nearest = self.distances[levels[0]]
        """How far back a trial stands at least of which anything is seen."""
        self._seen: list[Observation | None] = []
        self._known: dict[int, bool] = {}

    def ready(self, number: int) -> bool:
        """Whether trial `number` may be suggested."""
        if self.spec.asynchronous:
            return True
        return all(self.standing.frontier(r) > number - d for r, d in self.distances.items() if number >= d)

    def of(self, number: int) -> Sequence[Observation]:
        """The trials of its arm before `number`, as its suggestion sees them, in order and numbered within the arm."""
        if self.spec.asynchronous:
            return Late(lambda: self._own(number, self.now(number)))
        if number < len(self._seen):
            self._seen = []
        while len(self._seen) < number:
            self._step(len(self._seen))
        return self._own(number, [one for one in self._seen if one is not None])

    def reports(self, number: int, by: int) -> int:
        """Up to which report trial `by` sees trial `number`."""
        if self.spec.asynchronous:
            return self.standing.trials[number].reports
        return max((r for r, distance in self.distances.items() if by - number >= distance), default=0)

    def now(self, number: int) -> list[Observation]:
        """The trials before `number` as they stand, of both arms."""
        everything = (self._observe(trial, trial.reports, trial.state) for trial in self.standing.trials[:number])
        return [one for one in everything if one is not None]

    def _own(self, number: int, seen: list[Observation]) -> list[Observation]:
        """Of observations those of a trial's own arm, numbered within it."""
        arms = self.ladder.rungs.arms
        if not arms.share:
            return seen
        own = [one for one in seen if arms.control(one.number) is arms.control(number)]
        return [replace(one, number=arms.place(one.number)) for one in own]

    def _step(self, last: int) -> None:
        """See one trial more: `last` itself, and at each level the one that has moved there."""
        self._seen.append(self._cut(self.standing.trials[last], self.reports(last, last + 1)))
        for distance in self.distances.values():
            if (number := last + 1 - distance) >= 0:
                self._seen[number] = self._cut(self.standing.trials[number], self.reports(number, last + 1))

    def _cut(self, trial: Trial, reports: int) -> Observation | None:
        """A trial as it was when it had made so many reports; it may have gone further since."""
        ended = trial.state.final and (trial.reports < reports or trial.reports == reports == self.ladder.rungs.horizon)
        if trial.free or (ended and reports):
            return self._observe(trial, trial.reports, trial.state)
        at_rung = reports in self.ladder.rungs.rungs(trial.number) and trial.reports >= reports
        stopped = at_rung and self.ladder.verdict(trial.number, reports) is Verdict.STOP
        return self._observe(trial, reports, State.PRUNED if stopped else State.RUNNING)

    def _observe(self, trial: Trial, reports: int, state: State) -> Observation | None:
        if state is State.DUPLICATE or not self._in_space(trial):
            return None
        objectives = self.spec.objectives
        made = range(1, min(reports, trial.reports) + 1)
        scores = {r: found for r in made if (found := score(trial, r, objectives)) is not None}
        if state is State.COMPLETE and trial.reports not in scores:
            state = State.FAILED
        broken = violation(trial, reports, self.spec.constraints) if state.final else 0.0
        return Observation(number=trial.number, params=trial.params, state=state, scores=scores, violation=broken)

    def _in_space(self, trial: Trial) -> bool:
        """Whether the space still has a trial's parameters: it may have changed since."""
        if trial.number not in self._known:
            self._known[trial.number] = self.space.contains(trial.params)
        return self._known[trial.number]


def distances(look_ahead: int, levels: Sequence[int]) -> dict[int, int]:
    """How far back a trial must stand to be seen up to each level: the reports, ascending, where trials wait or end."""
    first = levels[0]
    return {r: -(-look_ahead * r // first) + (look_ahead // 2 if r > first else 0) for r in levels}


class Late(Sequence[Observation]):
    """Observations that are made when they are first looked at: a random sampler never does."""

    def __init__(self, make: Callable[[], list[Observation]]) -> None:
        self._make = make

    @cached_property
    def _items(self) -> list[Observation]:
        return self._make()

    @overload
    def __getitem__(self, place: int) -> Observation: ...
    @overload
    def __getitem__(self, place: slice) -> list[Observation]: ...
    def __getitem__(self, place: int | slice) -> Observation | list[Observation]:
        """One of them, or some."""
        return self._items[place]

    def __iter__(self) -> Iterator[Observation]:
        """All of them."""
        return iter(self._items)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._items)
