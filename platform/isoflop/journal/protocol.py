"""The seam: an append-only table of a study's events, with one writer at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from isoflop.journal.event import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to write a study's events, until it expires or another takes over with a higher token."""

    study: str
    holder: str
    """Host, process id and start time of the driver."""
    token: int
    """Fencing token: a write with a lower one than the newest is refused."""
    expires: float
    """Unix seconds."""


class Journal(Protocol):
    """The only truth about studies."""

    def append(self, lease: Lease, events: Iterable[Event]) -> int:
        """Write events in one transaction; those whose key stands already change nothing. Returns how many were new.

        Raises `LeaseError` where a newer lease was given out, `StateError` where the disk refuses.
        """
        ...

    def read(self, study: str, after: int = 0) -> Sequence[Event]:
        """A study's events in order of writing, those with a `seq` above `after`; empty for an unknown study."""
        ...

    def studies(self) -> Sequence[str]:
        """Ids of all studies, oldest first."""
        ...

    def acquire(self, study: str, holder: str, seconds: float) -> Lease:
        """Take the study's lease. Raises `LeaseError`, naming the holder, while another's has not expired."""
        ...

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold on to it. Raises `LeaseError` where it was taken over."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens where it was taken over."""
        ...
