"""The seam: an append-only table of a study's events, with one writer at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from isoflop.journal.event import Event
from isoflop.journal.request import Request, RequestKind
from isoflop.records import Key

LEASE_SECONDS = 60.0
"""How long a driver's lease lasts unless it is renewed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to write a study's events, until it expires or another takes over with a higher token."""

    study: str
    holder: str
    """Host and process id of the driver; empty where it was given back."""
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

    def head(self, study: str) -> int:
        """The `seq` of a study's newest event; 0 for an unknown study."""
        ...

    def studies(self) -> Sequence[str]:
        """Ids of all studies, oldest first."""
        ...

    def acquire(self, study: str, holder: str, seconds: float) -> Lease:
        """Take the study's lease. Raises `LeaseError`, naming the holder, while another holds it.

        It lasts `seconds`, not more than twice `LEASE_SECONDS`: a longer one counts as a clock's that jumped.
        Requests to stop that are pending were made of an earlier driver: they are dropped.
        """
        ...

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold on to it. Raises `LeaseError` where it was taken over."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back; nothing happens where it was taken over."""
        ...

    def running(self, study: str) -> Lease | None:
        """The lease by which a driver runs the study, none where nobody does."""
        ...

    def stale(self) -> Sequence[Lease]:
        """Leases that were not given back though nobody runs their study any more, by study."""
        ...

    def ask(self, study: str, request: RequestKind, key: Key | None, by: str) -> int:
        """Ask something of the study's driver. It needs no lease. Returns the request's id."""
        ...

    def requests(self, study: str) -> Sequence[Request]:
        """What was asked and is not answered, oldest first."""
        ...

    def answered(self, lease: Lease, ids: Iterable[int]) -> None:
        """Mark requests of the lease's study as dealt with. Raises `LeaseError` where the lease is not the newest."""
        ...
