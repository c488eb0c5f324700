"""Other samplers to compare with, told and asked as a user of them would."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.problems import Params
from isoflop.families import Scalar
from isoflop.planning.samplers.additive.sampler import AdditiveSampler
from isoflop.planning.samplers.build import build_sampler
from isoflop.planning.samplers.protocol import Observation
from isoflop.records import State
from isoflop.seeds import derive
from isoflop.space import SearchSpace, random_suggester
from isoflop.study_spec import Sampler, StudySpec

optuna.logging.set_verbosity(optuna.logging.ERROR)
POPULATION, TOURNAMENT = 20, 5
"""Of the textbook evolution: of 10/3, 20/5, 50/10 and 100/25 what is best after 100 evaluations of the tables."""


class Searcher(Protocol):
    """Asks for trials in order; tells how one ended, before the next is asked for or later."""

    def ask(self, number: int) -> Params:
        """Parameters of trial `number`."""
        ...

    def tell(self, number: int, score: float | None) -> None:
        """A trial's score, more being better; none where it could not be had."""
        ...


class Ours:
    """A sampler of the product, by the seam through which a study asks it."""

    def __init__(self, space: SearchSpace, seed: int, sampler: Sampler) -> None:
        spec = StudySpec(name="quality", seed=seed, sampler=sampler, halving=None)
        self.sampler, self.seed = build_sampler(spec, space), seed
        self.seen: list[Observation] = []

    def ask(self, number: int) -> Params:
        """What the sampler suggests, seeing the others as they stand."""
        params = self.sampler(number, self.seen, derive(self.seed, "suggest", number))
        self.seen.append(Observation(number=number, params=params, state=State.RUNNING))
        return params

    def tell(self, number: int, score: float | None) -> None:
        """Finish the trial."""
        self.seen[number] = ended(number, self.seen[number].params, score)


class Evolution:
    """Regularized evolution as published (Real et al. 2019), with one parameter changed for each child."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.chance = space, random.Random(seed)
        self.asked: list[Params] = []
        self.population: list[tuple[float, Params]] = []

    def ask(self, number: int) -> Params:
        """A random one at first, then a child of the best of a few."""
        if number < POPULATION or not self.population:
            found: Params = self.space.sample(random_suggester(self.chance.getrandbits(62)))
        else:
            rivals = self.chance.sample(self.population, min(TOURNAMENT, len(self.population)))
            found = self._child(max(rivals, key=lambda pair: pair[0])[1])
        self.asked.append(found)
        return found

    def tell(self, number: int, score: float | None) -> None:
        """Let it live, and the oldest die."""
        self.population.append((float("-inf") if score is None else score, self.asked[number]))
        del self.population[:-POPULATION]

    def _child(self, parent: Params) -> Params:
        """The parent with one parameter drawn anew, together with what that enables."""
        key = self.chance.choice(sorted(parent))
        other = _Changed(parent, key, self.chance)
        return self.space.sample(other)


class _Changed:
    """A suggester that recalls a parent, but for one key, and draws what the parent has not."""

    def __init__(self, parent: Params, key: str, chance: random.Random) -> None:
        self.parent, self.key, self.fresh = parent, key, random_suggester(chance.getrandbits(62))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""
        known = self._known(name)
        if isinstance(known, float) and low <= known <= high:
            return known
        return self.fresh.suggest_float(name, low, high, step=step, log=log)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number in [low, high]."""
        known = self._known(name)
        if isinstance(known, int) and low <= known <= high:
            return known
        return self.fresh.suggest_int(name, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """One of the choices; another one for the key that is changed."""
        known = self._known(name)
        if name in self.parent and name != self.key and known in choices:
            return known
        others = [choice for choice in choices if name != self.key or choice != self.parent[name]]
        return self.fresh.suggest_categorical(name, others or list(choices))

    def _known(self, name: str) -> Scalar:
        return None if name == self.key else self.parent.get(name)


class Optunas:
    """A study of Optuna's, by ask and tell. What cannot be had is told as the worst so far that breaks a constraint."""

    def __init__(self, space: SearchSpace, sampler: BaseSampler) -> None:
        self.space = space
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.open: dict[int, Trial] = {}
        self.worst = 0.0

    def ask(self, number: int) -> Params:
        """What Optuna suggests."""
        self.open[number] = trial = self.study.ask()
        return self.space.sample(_Branched(trial))

    def tell(self, number: int, score: float | None) -> None:
        """Tell the score."""
        trial = self.open.pop(number)
        first = not any(one.state is TrialState.COMPLETE for one in self.study.get_trials(deepcopy=False))
        if score is not None:
            self.worst = score if first else min(self.worst, score)
        trial.set_constraint("missing", 1.0 if score is None else -1.0)
        self.study.tell(trial, self.worst if score is None else score)


class _Branched:
    """An open trial of Optuna's, by names that tell the branches of a conditional space apart.

    Optuna keeps one distribution a name, so a key that branches give other bounds has a name for each.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial = trial

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""
        return self.trial.suggest_float(f"{name}:{low}:{high}", low, high, step=step, log=log)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number in [low, high]."""
        return self.trial.suggest_int(f"{name}:{low}:{high}", low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """One of the choices."""
        found: Scalar = self.trial.suggest_categorical(name, choices)
        return found


def ended(number: int, params: Params, score: float | None) -> Observation:
    """A finished trial as the product shows it."""
    if score is None:
        return Observation(number=number, params=params, state=State.INFEASIBLE, violation=1.0)
    return Observation(number=number, params=params, state=State.COMPLETE, scores={1: (score,)})


def modelled(space: SearchSpace, finished: Sequence[Observation]) -> int | None:
    """The trial that the default sampler's model expects the most of, whoever asked for it."""
    return AdditiveSampler(space).recommend(finished)


def _optunas(make: Callable[[int], BaseSampler]) -> Callable[[SearchSpace, int], Searcher]:
    def build(space: SearchSpace, seed: int) -> Searcher:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `group` is experimental
            return Optunas(space, make(seed))

    return build


SEARCHERS: Mapping[str, Callable[[SearchSpace, int], Searcher]] = {
    "default": lambda space, seed: Ours(space, seed, Sampler()),
    "random": lambda space, seed: Ours(space, seed, Sampler(name="random")),
    "evolution": Evolution,
    "tpe": _optunas(lambda seed: TPESampler(seed=seed, multivariate=True, group=True)),
    "nsga2": _optunas(lambda seed: NSGAIISampler(seed=seed)),
    "tpe univariate": _optunas(lambda seed: TPESampler(seed=seed, multivariate=False)),
    "gp": _optunas(lambda seed: GPSampler(seed=seed)),
    "our tpe": lambda space, seed: Ours(space, seed, Sampler(name="tpe")),
    "our gp": lambda space, seed: Ours(space, seed, Sampler(name="gp")),
    "our nsga2": lambda space, seed: Ours(space, seed, Sampler(name="nsga2")),
    "our evolution": lambda space, seed: Ours(space, seed, Sampler(name="evolution")),
    "our sobol": lambda space, seed: Ours(space, seed, Sampler(name="sobol")),
}
COMPARED = ("default", "random", "evolution", "tpe", "nsga2")
