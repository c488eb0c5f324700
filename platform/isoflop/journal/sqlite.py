"""The journal in a SQLite file on the driver's own disk.

WAL with `synchronous=FULL`: a commit is on the disk before it is told. NORMAL would outlive `kill -9` as well, but a
power cut could take the last commits back, and with them the fact that a test set was opened, or events that the
tracker has copied already. Each event in a transaction of its own costs one fsync.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from isoflop.errors import StateError
from isoflop.journal.event import SCHEMA, Event, Kind
from isoflop.journal.lease import gone, held, lost
from isoflop.journal.protocol import Journal, Lease

BUSY_SECONDS = 30.0
"""How long a write waits for another process's."""

TABLES = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  study TEXT NOT NULL, kind TEXT NOT NULL, trial INTEGER NOT NULL, replicate INTEGER NOT NULL, idx INTEGER NOT NULL,
  payload TEXT NOT NULL, time REAL NOT NULL,
  UNIQUE (study, kind, trial, replicate, idx)
) STRICT;
CREATE INDEX events_in_order ON events (study, seq);
CREATE TABLE leases (
  study TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires REAL NOT NULL
) STRICT;
"""
INSERT = (
    "INSERT INTO events (study, kind, trial, replicate, idx, payload, time) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
SELECT = "SELECT kind, trial, replicate, idx, payload, time, seq FROM events WHERE study = ? AND seq > ? ORDER BY seq"


class SqliteJournal:
    """A file of all studies' events. Threads may share it; processes open it each for themselves.

    Raises `StateError` where the file cannot be used: not writable, damaged, full, or of a newer version.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time, readonly: bool = False) -> None:
        self.path, self._clock = path, clock
        self._lock = threading.RLock()
        if not readonly:
            _create(path)
        with _explained(path):
            self._connection = _open(f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}")
            self._closer = weakref.finalize(self, self._connection.close)
            version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        _check_version(path, version)

    @classmethod
    def open_readonly(cls, path: Path) -> Self:
        """Open for reading only, beside a driver that writes. Raises `StateError` where there is no journal."""
        if not path.is_file():
            raise StateError(f"{path}: there is no journal yet; run isoflop search SPEC")
        return cls(path, readonly=True)

    def append(self, lease: Lease, events: Iterable[Event]) -> int:
        """Write events whose key is new, in one transaction. Raises `LeaseError` where the lease is not the newest."""
        rows = [_row(lease.study, event) for event in events]
        with self._transaction() as run:
            _check(run, lease)
            return sum(run(INSERT, row).rowcount for row in rows)

    def read(self, study: str, after: int = 0) -> Sequence[Event]:
        """A study's events with a `seq` above `after`, in order."""
        return [_event(row) for row in self._all(SELECT, (study, after))]

    def studies(self) -> Sequence[str]:
        """Ids of all studies with events, oldest first."""
        return [study for (study,) in self._all("SELECT study FROM events GROUP BY study ORDER BY min(seq)")]

    def acquire(self, study: str, holder: str, seconds: float) -> Lease:
        """Take the lease. Raises `LeaseError` while another's has not expired and its process may live."""
        with self._transaction() as run:
            now, last = self._clock(), _newest(run, study)
            if last and last.expires > now and last.holder != holder and not gone(last.holder):
                raise held(last, now)
            lease = Lease(study=study, holder=holder, token=last.token + 1 if last else 1, expires=now + seconds)
            _put(run, lease)
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

    def close(self) -> None:
        """Close the file; what is left open is closed when the journal is forgotten."""
        with self._lock:
            self._closer()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, _explained(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Run]:
        """All or nothing, with the file's write lock held from the start, so that what is read stays true."""
        with self._lock, _explained(self.path):
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            try:
                yield run
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk rolls back by itself
                    run("ROLLBACK")
                raise


Run = Callable[..., sqlite3.Cursor]
"""Execute a statement with its values."""


def _newest(run: Run, study: str) -> Lease | None:
    row = run("SELECT holder, token, expires FROM leases WHERE study = ?", (study,)).fetchone()
    return Lease(study=study, holder=row[0], token=row[1], expires=row[2]) if row else None


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


def _create(path: Path) -> None:
    """Make the file where there is none, beside and linked, so that none is half made."""
    if path.exists():
        return
    # Not in place: where two processes turn one file to WAL at once, SQLite fails without waiting.
    beside = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    try:
        with _explained(path), closing(_open(f"{beside.absolute().as_uri()}?mode=rwc")) as connection:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise StateError(f"{path}: this file system has no write-ahead log; set ISOFLOP_HOME to a local disk")
            connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version={SCHEMA}; COMMIT")
        with suppress(FileExistsError):  # another process was faster
            path.hardlink_to(beside)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}; set ISOFLOP_HOME to a folder of yours on a local disk") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _open(uri: str) -> sqlite3.Connection:
    # One connection for all threads, behind the journal's lock: a write holds it for one fsync.
    connection = sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA:
        what = f"a newer isoflop wrote this journal (version {version}, known: {SCHEMA})"
        raise StateError(f"{path}: {what}; upgrade isoflop")
    if version < SCHEMA:
        raise StateError(f"{path}: this is not a journal of isoflop; move the file away or set ISOFLOP_HOME")


REMEDIES = {
    "SQLITE_FULL": "the disk is full; free some space, nothing that was written is lost",
    "SQLITE_NOTADB": "the file is not a journal, or damaged; move it away or put a copy back",
    "SQLITE_CORRUPT": "the file is damaged; move it away or put a copy back",
    "SQLITE_CANTOPEN": "the file cannot be opened; set ISOFLOP_HOME to a folder of yours",
    "SQLITE_READONLY": "the file cannot be written; set ISOFLOP_HOME to a folder of yours",
    "SQLITE_BUSY": f"another process has been writing for {BUSY_SECONDS:.0f} s; try again",
    "SQLITE_IOERR": "the disk does not answer; look at its health and space",
}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        known = next((text for code, text in REMEDIES.items() if name.startswith(code)), None)
        raise StateError(f"{path}: {known or f'{error}; use a local disk for ISOFLOP_HOME'}") from error


_: type[Journal] = SqliteJournal
