"""The seam: copies of a study's events where people look at runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isoflop.journal.event import Event


class Tracker(Protocol):
    """A projection of the journal: it can be lost and written again, and nothing is ever decided by it."""

    def begin(self, study: str, opening: Event) -> int:
        """Find or make the run of a study, known by its first event. Returns the `seq` up to which events stand there.

        Raises `StateError` where the records cannot be reached.
        """
        ...

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Bring the records of a study that was begun up to date with its events, in their order.

        Events that stand already change nothing. Raises `StateError` where they cannot be written now; what was
        written by then does not disturb the next attempt.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
