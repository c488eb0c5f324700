"""The journal's file: made whole or not at all, opened, and what is said where it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from isoflop.errors import StateError
from isoflop.journal.event import SCHEMA

BUSY_SECONDS = 30.0
"""How long a write waits for another process's."""
Run: TypeAlias = Callable[..., sqlite3.Cursor]
"""Execute a statement with its values."""

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
REQUESTS = (
    """
CREATE TABLE {schema}.requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  study TEXT NOT NULL, kind TEXT NOT NULL, trial INTEGER, replicate INTEGER,
  made REAL NOT NULL, by TEXT NOT NULL, done REAL
) STRICT
""",
    "CREATE INDEX {schema}.requests_pending ON requests (study) WHERE done IS NULL",
)
"""New in version 2. The trial is NULL where the study is meant."""


def create(path: Path) -> None:
    """Make the file where there is none, beside and linked, so that none is half made."""
    if path.exists():
        return
    # Not in place: where two processes turn one file to WAL at once, SQLite fails without waiting.
    beside = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
    requests = ";".join(REQUESTS).format(schema="main")
    try:
        with explained(path), closing(connect(beside, "rwc")) as connection:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise StateError(f"{path}: this file system has no write-ahead log; set ISOFLOP_HOME to a local disk")
            connection.executescript(f"BEGIN; {TABLES} {requests}; PRAGMA user_version={SCHEMA}; COMMIT")
        with suppress(FileExistsError):  # another process was faster
            path.hardlink_to(beside)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}; set ISOFLOP_HOME to a folder of yours on a local disk") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file: mode `ro`, `rw`, or `rwc` to make it. A commit is on the disk before it is told."""
    # One connection for all threads, behind the journal's lock: a write holds it for one fsync.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


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
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        known = next((text for code, text in REMEDIES.items() if name.startswith(code)), None)
        raise StateError(f"{path}: {known or f'{error}; use a local disk for ISOFLOP_HOME'}") from error
