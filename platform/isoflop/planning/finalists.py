"""Finalists: the best trials of a search, trained again in full on fresh seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from isoflop.config import TrialConfig
from isoflop.journal.history import History
from isoflop.plan import Decision, Proposal
from isoflop.records import Key, Trial
from isoflop.seeds import derive


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalistsPlan:
    """Train each chosen trial once a seed; nothing is stopped early, and what was trained already counts."""

    study: str
    """The search that they come from."""
    chosen: Mapping[int, Trial]
    """The trial that each finalist retrains, by the finalist's number (`numbered`), best first."""
    seeds: int
    seed: int
    """The search's seed, from which the fresh ones are derived."""
    programs: Mapping[int, Sequence[TrialConfig]] = field(default_factory=dict)
    """Of finalists whose first seeds are trained as one program, the configuration of each of them."""
    code: str = ""
    """Version of the training core."""

    def __call__(self, history: History) -> Decision:
        """Start the next replicate; the first of a program trains for all, so that the others wait for it."""
        for key in self.trainings():
            if key in history.trials:
                continue
            first = history.trials.get(Key(trial=key.trial))
            if first is not None and not first.state.final and key.replicate < len(self.programs.get(key.trial, ())):
                return Decision()
            return Decision(start=self.propose(key.trial, key.replicate))
        return Decision(finished=True, reason="budget")

    def trainings(self) -> Iterator[Key]:
        """Every training: each finalist's first seed before any one's second."""
        for replicate in range(self.seeds):
            yield from (Key(trial=number, replicate=replicate) for number in self.chosen)

    def fellows(self, trial: Trial) -> Sequence[Proposal]:
        """Who else is trained with a trial: with the first of a program the others, unless memory ran out for all."""
        leads = not trial.replicate and not trial.attempt
        members = len(self.programs.get(trial.number, ())) if leads else 0
        return [self.propose(trial.number, replicate) for replicate in range(1, members)]

    def propose(self, number: int, replicate: int) -> Proposal:
        """One seed of one finalist."""
        trial = self.chosen[number]
        config, fingerprint = trial.config, trial.fingerprint
        if replicate < len(program := self.programs.get(number, ())):
            config, fingerprint = program[replicate].params(), program[replicate].fingerprint(self.code)
        return Proposal(
            key=Key(trial=number, replicate=replicate),
            params=trial.params,
            config=config,
            seed=fresh(self.seed, replicate),
            fingerprint=fingerprint,
            parameters=trial.parameters,
            flops=trial.flops,
            memory=trial.memory,
            source=source_of(self.study, trial),
        )


def fresh(seed: int, replicate: int) -> int:
    """A seed that a search of this seed never saw."""
    return derive(seed, "finalist", replicate) % 2**31


def numbered(study: str, chosen: Sequence[Trial], begun: Collection[Trial]) -> dict[int, Trial]:
    """Chosen trials of a search by their finalists' numbers.

    A trial that has a finalist keeps its number; the others get the next ones, the best first.
    """
    known = {trial.source: trial.number for trial in begun}
    places = count(max(known.values(), default=-1) + 1)
    return {known[source] if (source := source_of(study, one)) in known else next(places): one for one in chosen}


def source_of(study: str, trial: Trial) -> str:
    """What a finalist says that it retrains."""
    return f"{study}/{trial.number}"
