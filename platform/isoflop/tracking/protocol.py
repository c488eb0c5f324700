"""The seam: copies of a study's events where people look at runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from isoflop.journal.event import Event
from isoflop.tracking.audit import Seen


class Tracker(Protocol):
    """A projection of the journal: it can be lost and written again, and nothing is ever decided by it.

    Every method raises `StateError` where the records cannot be reached now. After that a study is begun anew; what
    was written by then does not disturb the next attempt.
    """

    def begin(self, study: str, opening: Event) -> int:
        """Find or make the run of a study, known by its first event. Returns the `seq` up to which events stand there.

        Of runs that were made twice, since a server made one and its answer was lost, one stays.
        """
        ...

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Bring the records of a study that was begun up to date with its events, in their order.

        The first call after `begin` has all of them from the first on, later ones those that came since, and more at
        will: events that stand already change nothing.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Mendable(Tracker, Protocol):
    """A tracker whose records can be held against the journal, and mended by `mending`."""

    def seen(self, study: str, opening: Event) -> Sequence[Seen]:
        """The runs that stand of a study, which need not be begun. Nothing is written."""
        ...

    def rewind(self, study: str) -> None:
        """Let the next `begin` of a study that was begun return 0, so that all of it is written again."""
        ...

    def remove(self, runs: Iterable[str]) -> None:
        """Take runs away, by their ids."""
        ...

    def end(self, runs: Mapping[str, float]) -> None:
        """End runs, by their ids, as killed at Unix seconds: a driver that was killed left them as if they ran."""
        ...
