"""Finalists: the best trials of a search, trained again in full on fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

    def __call__(self, history: History) -> Decision:
        """Start the next replicate."""
        done = len(history.trials)
        if done < len(self.chosen) * self.seeds:
            # Every finalist's first seed before any one's second.
            replicate, place = divmod(done, len(self.chosen))
            return Decision(start=self.propose(place, replicate))
        return Decision(finished=True, reason="budget")

    def propose(self, place: int, replicate: int) -> Proposal:
        """One seed of one finalist."""
        trial = self.chosen[place]
        return Proposal(
            key=Key(trial=place, replicate=replicate),
            params=trial.params,
            config=trial.config,
            seed=derive(self.seed, "finalist", replicate) % 2**31,
            fingerprint=trial.fingerprint,
            parameters=trial.parameters,
            flops=trial.flops,
            memory=trial.memory,
            source=f"{self.study}/{trial.number}",
        )
