"""The seam: what board, command line and dashboard read, from the journal or from a cache of it or of MLflow."""

from __future__ import annotations

from typing import Any, Protocol

from isoflop.optimism import Optimism
from isoflop.records import Result


class Reads(Protocol):
    """Reads of all studies; rows are JSON values."""

    def version(self) -> tuple[tuple[str, int], ...]:
        """Every study with the place of its newest event: equal versions mean that nothing happened."""
        ...

    def studies(self) -> list[dict[str, Any]]:
        """Every study, oldest first: id, name, plan, parent, state, reason, data, trials, counts, best and times.

        `best` is the objective's value of the best COMPLETE trial, `best_trial` its number; both are null while there
        is none. `began` and `updated` are Unix seconds.
        """
        ...

    def trials(self, study: str) -> list[dict[str, Any]]:
        """A study's trials by number and replicate. Raises `UnknownError` for an unknown study.

        `rung` is the report at which a PRUNED trial was stopped, null for all others. Where a study makes trials equal,
        `solved` is what was solved for that, by dotted key, and `residual` by which share the FLOPs are off.
        `reproduced` is what came last of repeating it, null where nobody did.
        """
        ...

    def latest(self, study: str) -> list[dict[str, Any]]:
        """The same with the newest record of each trial alone. Raises `UnknownError` for an unknown study."""
        ...

    def results(self, study: str | None = None) -> list[Result]:
        """What the finalists earned: of all studies, of one search, or of one finalists' study.

        With the hits of their predictions and the state counts of their searches. A metric that not all of a
        finalist's seeds have (the test set is being opened) is left out. Raises `UnknownError` for an unknown study.
        """
        ...

    def counts(self, study: str) -> dict[str, int]:
        """How many trials of a study are in each state; empty for an unknown study."""
        ...

    def luck(self, study: str) -> Optimism | None:
        """How much of a search's best score is luck, from the answers on validation that its COMPLETE trials left.

        With the seeds' effect as its finalists show it, where there are any. None where the study picks by something
        else than the share of hits, or fewer than two trials left answers.
        """
        ...

    def openings(self) -> dict[str, int]:
        """For how many trainings the test set was opened, by data digest."""
        ...
