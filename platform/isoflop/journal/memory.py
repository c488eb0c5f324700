"""The journal in memory: the twin of the one on disk, for tests and simulations."""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

from isoflop.journal.event import Event
from isoflop.journal.lease import held, holds, lost
from isoflop.journal.protocol import Journal, Lease
from isoflop.journal.request import Request, RequestKind
from isoflop.records import Key


class MemoryJournal:
    """Keeps events for as long as the process lives. Threads may share it."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._events: dict[str, dict[tuple[str, int, int, int], Event]] = {}
        self._logs: dict[str, list[Event]] = {}
        self._leases: dict[str, Lease] = {}
        self._requests: list[Request] = []
        """Those that are pending."""
        self._seq = self._asked = 0

    def append(self, lease: Lease, events: Iterable[Event]) -> int:
        """Write events whose key is new. Raises `LeaseError` where the lease is not the newest."""
        # Through JSON, so that what comes back is what a disk would give: lists for tuples, text for enums.
        rows = [replace(event, payload=json.loads(json.dumps(dict(event.payload)))) for event in events]
        with self._lock:
            self._check(lease)
            table = self._events.setdefault(lease.study, {})
            fresh = 0
            for event in rows:
                key = (event.kind, event.trial, event.replicate, event.index)
                if key not in table:
                    self._seq, fresh = self._seq + 1, fresh + 1
                    table[key] = replace(event, seq=self._seq)
                    self._logs.setdefault(lease.study, []).append(table[key])
            return fresh

    def read(self, study: str, after: int = 0) -> Sequence[Event]:
        """A study's events with a `seq` above `after`, in order."""
        with self._lock:
            log = self._logs.get(study, [])
            return log[bisect_right(log, after, key=attrgetter("seq")) :]

    def head(self, study: str) -> int:
        """The `seq` of a study's newest event; 0 for an unknown study."""
        with self._lock:
            log = self._logs.get(study)
            return log[-1].seq if log else 0

    def studies(self) -> Sequence[str]:
        """Ids of all studies with events, oldest first."""
        with self._lock:
            first = {study: min(e.seq for e in table.values()) for study, table in self._events.items() if table}
        return sorted(first, key=first.__getitem__)

    def acquire(self, study: str, holder: str, seconds: float) -> Lease:
        """Take the lease. Raises `LeaseError` while another's has not expired."""
        with self._lock:
            now, last = self._clock(), self._leases.get(study)
            if last and last.holder != holder and holds(last, now, seconds):
                raise held(last, now)
            token = last.token + 1 if last else 1
            lease = Lease(study=study, holder=holder, token=token, expires=now + seconds)
            self._leases[study] = lease
            self._requests = [r for r in self._requests if (r.study, r.kind) != (study, RequestKind.STOP)]
            return lease

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold on to the lease. Raises `LeaseError` where it was taken over."""
        with self._lock:
            self._check(lease)
            self._leases[lease.study] = replace(lease, expires=self._clock() + seconds)
            return self._leases[lease.study]

    def release(self, lease: Lease) -> None:
        """Give the lease back; its token stays, so that the next one is higher."""
        with self._lock:
            newest = self._leases.get(lease.study)
            if newest and (newest.token, newest.holder) == (lease.token, lease.holder):
                self._leases[lease.study] = replace(lease, holder="", expires=0.0)

    def running(self, study: str) -> Lease | None:
        """The lease by which a driver runs the study, none where nobody does."""
        lease = self._leases.get(study)
        return lease if holds(lease, self._clock()) else None

    def stale(self) -> Sequence[Lease]:
        """Leases that were not given back though nobody runs their study any more, by study."""
        now = self._clock()
        with self._lock:
            return [self._leases[s] for s in sorted(self._leases) if self._left(self._leases[s], now)]

    def ask(self, study: str, request: RequestKind, key: Key | None, by: str) -> int:
        """Ask something of the study's driver."""
        with self._lock:
            self._asked += 1
            one = Request(id=self._asked, study=study, kind=request, key=key, made=self._clock(), by=by)
            self._requests.append(one)
            return one.id

    def requests(self, study: str) -> Sequence[Request]:
        """What was asked and is not answered, oldest first."""
        with self._lock:
            return [request for request in self._requests if request.study == study]

    def answered(self, lease: Lease, ids: Iterable[int]) -> None:
        """Mark requests of the lease's study as dealt with."""
        done = set(ids)
        with self._lock:
            self._check(lease)
            self._requests = [r for r in self._requests if r.study != lease.study or r.id not in done]

    @staticmethod
    def _left(lease: Lease, now: float) -> bool:
        return bool(lease.holder) and not holds(lease, now)

    def _check(self, lease: Lease) -> None:
        newest = self._leases.get(lease.study)
        if newest is None or (newest.token, newest.holder) != (lease.token, lease.holder):
            raise lost(lease, newest)


_: type[Journal] = MemoryJournal
