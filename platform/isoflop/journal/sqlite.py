"""The journal in a SQLite file on the driver's own disk.

WAL with `synchronous=FULL`: a commit is on the disk before it is told. NORMAL would outlive `kill -9` as well, but a
power cut could take the last commits back, and with them the fact that a test set was opened, or events that the
tracker has copied already. Each event in a transaction of its own costs one fsync.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from isoflop.crashpoints import crash
from isoflop.errors import StateError
from isoflop.journal.event import SCHEMA, Event, Kind
from isoflop.journal.file import Run, connect, create, explained
from isoflop.journal.lease import held, holds, lost
from isoflop.journal.migration import migrate, present, version_of
from isoflop.journal.protocol import Journal, Lease
from isoflop.journal.request import Request, RequestKind
from isoflop.records import Key

INSERT = (
    "INSERT INTO events (study, kind, trial, replicate, idx, payload, time) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
SELECT = "SELECT kind, trial, replicate, idx, payload, time, seq FROM events WHERE study = ? AND seq > ? ORDER BY seq"
STUDIES = """
WITH RECURSIVE found (study) AS (
  SELECT min(study) FROM events
  UNION ALL
  SELECT (SELECT min(study) FROM events WHERE study > found.study) FROM found WHERE found.study IS NOT NULL
)
SELECT study FROM found WHERE study IS NOT NULL ORDER BY (SELECT min(seq) FROM events WHERE study = found.study)
"""
"""A jump through the index from study to study: GROUP BY would walk over every event."""
LEASES = "SELECT study, holder, token, expires FROM leases"
PENDING = (
    "SELECT id, study, kind, trial, replicate, made, by FROM requests WHERE study = ? AND done IS NULL ORDER BY id"
)


class SqliteJournal:
    """A file of all studies' events. Threads may share it; processes open it each for themselves.

    A file of an older version is brought up to date. Raises `StateError` where the file cannot be used: not writable,
    damaged, full, or of a newer version.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time, readonly: bool = False) -> None:
        self.path, self._clock = path, clock
        self._lock = threading.RLock()
        if not readonly:
            create(path)
        with explained(path):
            self._connection = connect(path, "ro" if readonly else "rw")
            self._closer = weakref.finalize(self, self._connection.close)
            version = version_of(self._connection, path)
            if version < SCHEMA and readonly:
                present(self._connection, version)
            elif version < SCHEMA:
                migrate(self._connection, path, clock())

    @classmethod
    def open_readonly(cls, path: Path) -> Self:
        """Open for reading only, beside a driver that writes. Raises `StateError` where there is no journal."""
        if not path.is_file():
            raise StateError(f"{path}: there is no journal yet; run isoflop search SPEC")
        return cls(path, readonly=True)

    def append(self, lease: Lease, events: Iterable[Event]) -> int:
        """Write events whose key is new, in one transaction. Raises `LeaseError` where the lease is not the newest."""
        rows = [_row(lease.study, event) for event in events]
        crash("journal.before_append")
        with self._transaction() as run:
            _check(run, lease)
            fresh = sum(run(INSERT, row).rowcount for row in rows)
            crash("journal.inside_append")
        if any(row[1] == Kind.STUDY for row in rows):
            self._checkpoint()
        crash("journal.after_append")
        return fresh

    def read(self, study: str, after: int = 0) -> Sequence[Event]:
        """A study's events with a `seq` above `after`, in order."""
        rows = self._all(SELECT, (study, after))
        try:
            return [_event(row) for row in rows]
        except (ValueError, TypeError) as error:
            # No other version gets here: it is refused when the file is opened, unless it came while this one ran.
            what = f"an event of study {study} cannot be read ({error})"
            raise StateError(f"{self.path}: {what}; put a copy back, or upgrade isoflop") from error

    def head(self, study: str) -> int:
        """The `seq` of a study's newest event; 0 for an unknown study."""
        return int(self._all("SELECT max(seq) FROM events WHERE study = ?", (study,))[0][0] or 0)

    def studies(self) -> Sequence[str]:
        """Ids of all studies with events, oldest first."""
        return [study for (study,) in self._all(STUDIES)]

    def acquire(self, study: str, holder: str, seconds: float) -> Lease:
        """Take the lease. Raises `LeaseError` while another's has not expired and its process may live."""
        with self._transaction() as run:
            now, last = self._clock(), _newest(run, study)
            if last and last.holder != holder and holds(last, now, seconds):
                raise held(last, now)
            lease = Lease(study=study, holder=holder, token=last.token + 1 if last else 1, expires=now + seconds)
            _put(run, lease)
            run(
                "UPDATE requests SET done = ? WHERE study = ? AND kind = ? AND done IS NULL",
                (now, study, RequestKind.STOP),
            )
            return lease

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold on to the lease. Raises `LeaseError` where it was taken over."""
        with self._transaction() as run:
            _check(run, lease)
            renewed = Lease(study=lease.study, holder=lease.holder, token=lease.token, expires=self._clock() + seconds)
            _put(run, renewed)
            return renewed

    def release(self, lease: Lease) -> None:
        """Give the lease back; its token stays, so that the next one is higher."""
        with self._transaction() as run:
            run(
                "UPDATE leases SET holder = '', expires = 0 WHERE study = ? AND token = ? AND holder = ?",
                (lease.study, lease.token, lease.holder),
            )

    def running(self, study: str) -> Lease | None:
        """The lease by which a driver runs the study, none where nobody does."""
        leases = [_lease(row) for row in self._all(f"{LEASES} WHERE study = ?", (study,))]
        return next((lease for lease in leases if holds(lease, self._clock())), None)

    def stale(self) -> Sequence[Lease]:
        """Leases that were not given back though nobody runs their study any more, by study."""
        leases = [_lease(row) for row in self._all(f"{LEASES} WHERE holder != '' ORDER BY study")]
        return [lease for lease in leases if not holds(lease, self._clock())]

    def ask(self, study: str, request: RequestKind, key: Key | None, by: str) -> int:
        """Ask something of the study's driver."""
        with self._transaction() as run:
            row = (study, request, *((key.trial, key.replicate) if key else (None, None)), self._clock(), by)
            done = run("INSERT INTO requests (study, kind, trial, replicate, made, by) VALUES (?, ?, ?, ?, ?, ?)", row)
            assert done.lastrowid is not None, "an insert has a row"
            return done.lastrowid

    def requests(self, study: str) -> Sequence[Request]:
        """What was asked and is not answered, oldest first."""
        return [_request(row) for row in self._all(PENDING, (study,))]

    def answered(self, lease: Lease, ids: Iterable[int]) -> None:
        """Mark requests of the lease's study as dealt with."""
        with self._transaction() as run:
            _check(run, lease)
            for one in ids:
                run(
                    "UPDATE requests SET done = ? WHERE id = ? AND study = ? AND done IS NULL",
                    (self._clock(), one, lease.study),
                )

    def close(self) -> None:
        """Close the file; what is left open is closed when the journal is forgotten."""
        with self._lock:
            self._closer()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, explained(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Run]:
        """All or nothing, with the file's write lock held from the start, so that what is read stays true."""
        with self._lock, explained(self.path):
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            try:
                yield run
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk rolls back by itself
                    run("ROLLBACK")
                raise

    def _checkpoint(self) -> None:
        """Put what is committed into the file itself: without its log a study would look as if it had never been."""
        with suppress(StateError):  # it is committed already
            self._all("PRAGMA wal_checkpoint(PASSIVE)")


def _newest(run: Run, study: str) -> Lease | None:
    row = run(f"{LEASES} WHERE study = ?", (study,)).fetchone()
    return _lease(row) if row else None


def _put(run: Run, lease: Lease) -> None:
    run(
        "INSERT OR REPLACE INTO leases (study, holder, token, expires) VALUES (?, ?, ?, ?)",
        (lease.study, lease.holder, lease.token, lease.expires),
    )


def _check(run: Run, lease: Lease) -> None:
    newest = _newest(run, lease.study)
    if newest is None or (newest.token, newest.holder) != (lease.token, lease.holder):
        raise lost(lease, newest)


def _row(study: str, event: Event) -> tuple[Any, ...]:
    payload = json.dumps(dict(event.payload), separators=(",", ":"))
    return study, str(event.kind), event.trial, event.replicate, event.index, payload, event.time


def _event(row: tuple[Any, ...]) -> Event:
    kind, trial, replicate, index, payload, at, seq = row
    return Event(
        kind=Kind(kind), trial=trial, replicate=replicate, index=index, payload=json.loads(payload), time=at, seq=seq
    )


def _lease(row: tuple[Any, ...]) -> Lease:
    study, holder, token, expires = row
    return Lease(study=study, holder=holder, token=token, expires=expires)


def _request(row: tuple[Any, ...]) -> Request:
    number, study, kind, trial, replicate, made, by = row
    key = None if trial is None else Key(trial=trial, replicate=replicate)
    return Request(id=number, study=study, kind=RequestKind(kind), key=key, made=made, by=by)


_: type[Journal] = SqliteJournal
