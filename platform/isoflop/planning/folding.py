"""Cross-validation: one configuration trained on every fold of its data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from isoflop.config import TrialConfig
from isoflop.journal.history import History
from isoflop.plan import Decision, Proposal
from isoflop.planning.fresh import fresh_seeds
from isoflop.records import Key, Trial


@dataclass(frozen=True, kw_only=True)
class FoldsPlan:
    """Train a configuration once a fold, each on a fresh seed of its own; a fold is a replicate of trial 0."""

    run: str
    """Where the configuration comes from, as `STUDY/NUMBER`."""
    trial: Trial
    folds: int
    seed: int
    """From which the fresh ones are derived."""
    seen: Collection[int]
    """Seeds that the trial, or what it comes from, was trained with."""
    code: str
    """Version of the training core."""

    def __call__(self, history: History) -> Decision:
        """Start the next fold."""
        start = next((fold for fold in range(self.folds) if Key(trial=0, replicate=fold) not in history.trials), None)
        if start is None:
            return Decision(finished=True, reason="all folds")
        return Decision(start=self.propose(start))

    @cached_property
    def fresh(self) -> tuple[int, ...]:
        """The seed of each fold."""
        return fresh_seeds(self.seed, "fold", self.folds, seen=self.seen)

    def config(self, fold: int) -> TrialConfig:
        """The configuration on a fold. Raises `SpecError` where it cannot be."""
        return TrialConfig.from_params({**self.trial.config, "data.folds": self.folds, "data.fold": fold})

    def propose(self, fold: int) -> Proposal:
        """The training of a fold."""
        config = self.config(fold)
        return Proposal(
            key=Key(trial=0, replicate=fold),
            params=self.trial.params,
            config=config.params(),
            seed=self.fresh[fold],
            fingerprint=config.fingerprint(self.code),
            parameters=self.trial.parameters,
            flops=self.trial.flops,
            memory=self.trial.memory,
            source=self.run,
        )
