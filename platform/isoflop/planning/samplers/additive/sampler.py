"""The default sampler: expected improvement under an additive Gaussian process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoflop.families import Scalar
from isoflop.planning.samplers.additive.acquisition import log_improvement
from isoflop.planning.samplers.additive.elsewhere import Elsewhere
from isoflop.planning.samplers.additive.feasibility import Feasibility
from isoflop.planning.samplers.additive.fit import fitted
from isoflop.planning.samplers.additive.kernel import Kernel
from isoflop.planning.samplers.additive.memory import Memory
from isoflop.planning.samplers.additive.posterior import Posterior
from isoflop.planning.samplers.additive.search import Search
from isoflop.planning.samplers.additive.target import scalar
from isoflop.planning.samplers.coding import Coding
from isoflop.planning.samplers.column import Floats
from isoflop.planning.samplers.merit import informed, kept, merits, order, telling, violation
from isoflop.planning.samplers.protocol import Observation
from isoflop.planning.samplers.sobol import SobolSampler
from isoflop.records import State
from isoflop.space import SearchSpace, random_suggester

KEPT = 128
"""Trials that a model holds at most: the best half, and of the others the latest."""
LEARNT = 96
"""Trials that a kernel is fitted to at most, kept by the same rule."""
CHOSEN = 8
"""Of the complete trials one in so many may be recommended, and so many at least: the best by their own scores."""
EVERY = 32
"""Settled trials up to which the kernel is fitted anew for every suggestion, then each time they grew by a tenth."""

UNWANTED = -1e9
"""What a configuration promises that lies where a suggestion does not look."""


@dataclass(frozen=True)
class AdditiveSampler:
    """What promises the greatest improvement over the best trial, as the model expects it without noise.

    Half of the suggestions look away from the best peaks (`elsewhere.py`).

    Its view: COMPLETE, PRUNED, KILLED and RUNNING trials with scores are observations of their merit, which compares
    trials at the last report that they share. RUNNING ones without scores count as if they had come out as expected,
    so that none is suggested twice over. INFEASIBLE and FAILED ones, and those whose constraints are broken, teach a
    model of what can be had, by whose probability the improvement is multiplied.

    Several objectives are made one, with weights drawn for each trial (ParEGO). Random until `startup` trials have
    scores. Time is bounded: models hold at most 128 trials; beyond that it grows by microseconds a trial seen.
    """

    space: SearchSpace
    objectives: int = 1
    startup: int = 16
    seed: int = 0
    """Of the study."""

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """The configuration that promises most, of those that the search looks at."""
        chance = np.random.default_rng(seed)
        known = informed(seen)
        feasible = self._feasibility(seen)
        if len(known) < self.startup or not self._coding.varying.any():
            return self._beginning(number, chance, feasible)
        model = self._model(seen, kept(known, KEPT), chance.dirichlet(np.ones(self.objectives)))
        promise = _promise(model.believing(self._rows(_open(seen))), Elsewhere.of(model, number), feasible)
        tried = frozenset(self._memory.row(one).tobytes() for one in seen)
        found = Search(self._coding, tried, promise).best(chance, model.rows[np.argsort(-model.means, kind="stable")])
        return self.space.sample(random_suggester(seed)) if found is None else self._coding.decode(found)

    def recommend(self, seen: Sequence[Observation]) -> int | None:
        """The number of the trial with the best expected score among the best by their own, none where none has one.

        The model takes noise to be the same everywhere, which a search that has closed in on its best does not bear
        out: without the trials' own scores it may prefer a poor one beside them. It is asked of complete trials where
        it holds some. Several objectives weigh the same.
        """
        held = kept(informed(seen), KEPT)
        if not held:
            return None
        complete = [one for one in held if one.state is State.COMPLETE] or held
        best = [complete[place] for place in order(complete, max(CHOSEN, len(complete) // CHOSEN))]
        if not self._coding.varying.any():
            return best[0].number
        return best[int(np.argmax(self._model(seen, held, self._even).mean(self._rows(best))))].number

    def _beginning(
        self, number: int, chance: np.random.Generator, feasible: Feasibility | None
    ) -> Mapping[str, Scalar]:
        """A quasi-random configuration; a random one, away from what could not be had, once there is some."""
        if feasible is None:
            return self._sobol(number, (), 0)
        rows = self._coding.draw(chance, 32)
        likely = feasible.log_probability(rows) + chance.gumbel(size=len(rows))
        return self._coding.decode(rows[int(np.argmax(likely))])

    def _model(self, seen: Sequence[Observation], held: Sequence[Observation], weights: Floats) -> Posterior:
        return Posterior(self._kernel(seen), self._rows(held), scalar(merits(held), weights))

    def _kernel(self, seen: Sequence[Observation]) -> Kernel:

        def make(learnt: Sequence[Observation]) -> Kernel:
            known = kept(informed(learnt), LEARNT)
            return fitted(self._coding.columns, self._rows(known), scalar(merits(known), self._even))

        return self._memory.kernel("scores", _learnt(seen), make)

    def _feasibility(self, seen: Sequence[Observation]) -> Feasibility | None:
        """None while everything could be had."""
        if not any(map(violation, seen)):
            return None
        known = telling(seen)[-KEPT:]
        return Feasibility(Posterior(self._limits(seen), self._rows(known), _labels(known)))

    def _limits(self, seen: Sequence[Observation]) -> Kernel:
        """The kernel of what can be had."""

        def make(learnt: Sequence[Observation]) -> Kernel:
            known = telling(learnt)[-LEARNT:]
            return fitted(self._coding.columns, self._rows(known), _labels(known))

        return self._memory.kernel("limits", _learnt(seen), make)

    def _rows(self, seen: Sequence[Observation]) -> Floats:
        found = [self._memory.row(one) for one in seen]
        return np.array(found).reshape(-1, len(self._coding.columns))

    @property
    def _even(self) -> Floats:
        return np.full(self.objectives, 1 / self.objectives)

    @cached_property
    def _sobol(self) -> SobolSampler:
        return SobolSampler(self.space, self.seed)

    @cached_property
    def _coding(self) -> Coding:
        return Coding(self.space)

    @cached_property
    def _memory(self) -> Memory:
        return Memory(self._coding)


def _promise(model: Posterior, elsewhere: Elsewhere, feasible: Feasibility | None) -> Callable[[Floats], Floats]:
    def promise(rows: Floats) -> Floats:
        found = log_improvement(*model.at(rows), elsewhere.best)
        found = np.where(elsewhere.holds(rows), found, UNWANTED)
        return found if feasible is None else found + feasible.log_probability(rows)

    return promise


def _open(seen: Sequence[Observation]) -> list[Observation]:
    """Those of which nothing is known yet."""
    return [one for one in seen if not one.state.final and not one.scores]


def _labels(seen: Sequence[Observation]) -> Floats:
    return np.array([-1.0 if violation(one) else 1.0 for one in seen])


def _learnt(seen: Sequence[Observation]) -> Sequence[Observation]:
    """What a kernel is fitted to: all trials at first, then a number that seldom changes of the settled ones.

    Only trials before the first open one are settled: what they say will not change.
    """
    settled = next((place for place, one in enumerate(seen) if not one.state.final), len(seen))
    if settled <= EVERY:
        return seen
    count = EVERY
    while (more := count + count // 10) <= settled:
        count = more
    return seen[:count]
