"""The seam: a store of records that says what is new in it since a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from isoflop.tracking.cache.run import Curve, Run


class Source(Protocol):
    """Where the cache is filled from. Every method raises `StateError` where it cannot be read."""

    @property
    def name(self) -> str:
        """Which store it is, without secrets. A cache that was filled from another one is of no use."""
        ...

    @property
    def mark(self) -> str:
        """What tells it from another store that is put in its place; empty where the names of its runs do."""
        ...

    def heads(self, cursors: Mapping[str, int]) -> Mapping[str, int]:
        """Every study that stands, by its run, with the number of its newest event; oldest first.

        `cursors` are the numbers that were seen last, by study. What stands up to a study's number is whole.
        """
        ...

    def changes(self, cursors: Mapping[str, int]) -> Iterable[Run]:
        """What is new about these studies' own runs and about their trainings' whose number is above the study's.

        A run comes whole or with what is new alone, and only once.
        """
        ...

    def curves(self, study: str, runs: Sequence[Run]) -> Mapping[str, Curve]:
        """All values of runs of a study's trainings, by run; step 0 is left out, and runs without any."""
        ...

    def running(self, study: str) -> bool:
        """Whether a study, by its id, is run by somebody while it is not closed, as far as is known here."""
        ...

    def notices(self) -> Sequence[str]:
        """What the newest `heads` left out and why, in lines."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
