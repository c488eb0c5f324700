"""Brings a journal of an older version up to date, one function a version, after a copy of it was made beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from isoflop.disk import draft
from isoflop.errors import LeaseError, StateError
from isoflop.journal.event import SCHEMA
from isoflop.journal.file import REQUESTS, Run, connect, explained
from isoflop.journal.lease import holds
from isoflop.journal.protocol import Lease


def _add_requests(run: Run, schema: str) -> None:
    """From 1 to 2: what people ask of running drivers."""
    for statement in REQUESTS:
        run(statement.format(schema=schema))


STEPS: Mapping[int, Callable[[Run, str], None]] = {1: _add_requests}
"""By the version that it starts from, what makes the next one of it, in the file (`main`) or beside it (`temp`)."""


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The journal's version. Raises `StateError` for a newer one, and for a file that is no journal."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        what = f"a newer isoflop wrote this journal (version {version}, known: {SCHEMA})"
        raise StateError(f"{path}: {what}; upgrade isoflop")
    if version != SCHEMA and version not in STEPS:
        raise StateError(f"{path}: this is not a journal of isoflop; move the file away or set ISOFLOP_HOME")
    return version


def migrate(connection: sqlite3.Connection, path: Path, now: float) -> None:
    """Bring the file up to date, all or nothing; the copy is `NAME.vVERSION.bak`.

    Raises `LeaseError` while a driver of the older version runs a study, `StateError` where there is no room.
    """
    run = connection.execute
    run("BEGIN IMMEDIATE")  # nobody writes between the copy and the new version
    try:
        version = version_of(connection, path)
        if version < SCHEMA:  # else another process was faster
            _refuse_drivers(run, path, now)
            _copy(path, version)
            _step(run, version, "main")
            run(f"PRAGMA user_version={SCHEMA}")
        run("COMMIT")
    except BaseException:
        if connection.in_transaction:
            run("ROLLBACK")
        raise


def present(connection: sqlite3.Connection, version: int) -> None:
    """Let a reader who must not write see an older journal as one of today: what is new stands beside the file."""
    _step(connection.execute, version, "temp")


def _step(run: Run, version: int, schema: str) -> None:
    for older in range(version, SCHEMA):
        STEPS[older](run, schema)


def _refuse_drivers(run: Run, path: Path, now: float) -> None:
    rows = run("SELECT study, holder, token, expires FROM leases ORDER BY study").fetchall()
    leases = [Lease(study=study, holder=who, token=token, expires=at) for study, who, token, at in rows]
    busy = next((lease for lease in leases if holds(lease, now)), None)
    if busy is not None:
        what = f"{busy.holder} runs study {busy.study} with an older isoflop"
        raise LeaseError(f"{path}: {what}; let it end or stop it, then try again: the journal is brought up to date")


def _copy(path: Path, version: int) -> None:
    """A whole copy of what is committed; one of an earlier try is replaced."""
    name = f"{path.name}.v{version}.bak"
    with draft(path.parent, name) as beside, explained(path.with_name(name)):
        with closing(connect(path, "ro")) as source, closing(connect(beside.path, "rwc")) as copy:
            copy.execute("PRAGMA journal_mode=OFF")  # a torn copy is never published
            source.backup(copy)
        beside.publish(path.with_name(name))
