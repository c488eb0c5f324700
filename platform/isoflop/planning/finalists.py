"""Finalists: the best trials of a search, trained again in full on fresh seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isoflop.config import TrialConfig
from isoflop.journal.history import History
from isoflop.plan import Decision, Proposal
from isoflop.records import Key, Trial
from isoflop.seeds import derive


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalistsPlan:
    """Train each chosen trial once a seed; nothing is stopped early."""

    study: str
    """The search that they come from."""
    chosen: Sequence[Trial]
    """Best first; finalist k retrains `chosen[k]`."""
    seeds: int
    seed: int
    """The search's seed, from which the fresh ones are derived."""
    programs: Mapping[int, Sequence[TrialConfig]] = field(default_factory=dict)
    """Of finalists whose first seeds are trained as one program, the configuration of each of them."""
    code: str = ""
    """Version of the training core."""

    def __call__(self, history: History) -> Decision:
        """Start the next replicate; the first of a program trains for all, so that the others wait for it."""
        done = len(history.trials)
        if done < len(self.chosen) * self.seeds:
            # Every finalist's first seed before any one's second.
            replicate, place = divmod(done, len(self.chosen))
            first = history.trials.get(Key(trial=place))
            if first is not None and not first.state.final and replicate < len(self.programs.get(place, ())):
                return Decision()
            return Decision(start=self.propose(place, replicate))
        return Decision(finished=True, reason="budget")

    def fellows(self, trial: Trial) -> Sequence[Proposal]:
        """Who else is trained with a trial: with the first of a program the others, unless memory ran out for all."""
        leads = not trial.replicate and not trial.attempt
        members = len(self.programs.get(trial.number, ())) if leads else 0
        return [self.propose(trial.number, replicate) for replicate in range(1, members)]

    def propose(self, place: int, replicate: int) -> Proposal:
        """One seed of one finalist."""
        trial = self.chosen[place]
        config, fingerprint = trial.config, trial.fingerprint
        if replicate < len(program := self.programs.get(place, ())):
            config, fingerprint = program[replicate].params(), program[replicate].fingerprint(self.code)
        return Proposal(
            key=Key(trial=place, replicate=replicate),
            params=trial.params,
            config=config,
            seed=fresh(self.seed, replicate),
            fingerprint=fingerprint,
            parameters=trial.parameters,
            flops=trial.flops,
            memory=trial.memory,
            source=f"{self.study}/{trial.number}",
        )


def fresh(seed: int, replicate: int) -> int:
    """A seed that a search of this seed never saw."""
    return derive(seed, "finalist", replicate) % 2**31
