"""Journals of older versions: stored ones are brought up to date, whole and once, with a copy beside them."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from isoflop.errors import LeaseError, StateError
from isoflop.journal.event import SCHEMA, Kind
from isoflop.journal.history import History
from isoflop.journal.request import RequestKind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import Key, State

OLD = sorted((Path(__file__).parent / "old").glob("v*.sql"))
OPEN = "from isoflop.journal.sqlite import SqliteJournal; import sys; from pathlib import Path; "


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request, tmp_path):
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(request.param.read_text())
        connection.execute(f"PRAGMA user_version={request.param.stem.removeprefix('v')}")
    return path


@pytest.fixture
def version(old):
    return version_in(old)


def version_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM events ORDER BY seq").fetchall()


def lease(path: Path, holder: str, expires: float) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO leases VALUES ('killed', ?, 3, ?)", (holder, expires))


def test_every_version_before_this_one_is_stored():
    assert [path.stem for path in OLD] == [f"v{version}" for version in range(1, SCHEMA)]


def test_an_old_journal_keeps_every_event_and_takes_new_ones(old):
    before = rows(old)
    journal = SqliteJournal(old)
    assert version_in(old) == SCHEMA
    assert rows(old) == before
    assert journal.studies() == ["smoke-1", "killed"]
    finished, killed = (History.fold(journal.read(study)) for study in journal.studies())
    assert finished.closed == {"state": "COMPLETE", "reason": "budget"}
    assert killed.closed is None
    assert [trial.state for trial in killed.open()] == [State.RUNNING]
    taken = journal.acquire("killed", "now:1", 60)
    last = journal.read("killed")[-1]
    journal.append(taken, [last.__class__(kind=Kind.CLOSED, index=9, payload={"state": "INTERRUPTED"})])
    assert journal.read("killed")[-1].seq == last.seq + 1
    asked = journal.ask("killed", RequestKind.KILL, Key(trial=1), "me")
    assert [request.id for request in journal.requests("killed")] == [asked]


def test_a_copy_of_the_old_one_stands_beside_it(old, version):
    before = rows(old)
    SqliteJournal(old).close()
    copy = old.with_name(f"journal.sqlite.v{version}.bak")
    assert (version_in(copy), rows(copy)) == (version, before)
    assert sorted(file.name for file in old.parent.iterdir()) == ["journal.sqlite", copy.name]


def test_a_journal_of_today_is_left_as_it_is(old):
    SqliteJournal(old).close()
    stands = {file.name: file.stat().st_mtime_ns for file in old.parent.iterdir()}
    SqliteJournal(old).close()
    assert {file.name: file.stat().st_mtime_ns for file in old.parent.iterdir()} == stands


def test_a_reader_sees_an_old_journal_and_changes_nothing(old, version):
    whole = old.read_bytes()
    reader = SqliteJournal.open_readonly(old)
    assert reader.studies() == ["smoke-1", "killed"]
    assert reader.requests("killed") == []
    assert reader.running("killed") is None
    assert old.read_bytes() == whole
    assert version_in(old) == version
    SqliteJournal(old).acquire("killed", "now:1", 60)
    held = reader.running("killed")
    assert held is not None
    assert held.holder == "now:1"  # it goes on to read while another brings the file up to date


def test_while_a_driver_runs_the_old_one_is_left_alone(old, version):
    holder = f"{socket.gethostname()}:{os.getpid()}"
    lease(old, holder, time.time() + 60)
    with pytest.raises(LeaseError, match=f"{holder} runs study killed with an older isoflop; let it end") as error:
        SqliteJournal(old)
    assert "\n" not in str(error.value)
    assert version_in(old) == version
    assert [file.name for file in old.parent.glob("*.bak")] == []
    assert SqliteJournal.open_readonly(old).studies() == ["smoke-1", "killed"]


def test_the_lease_of_a_driver_that_was_killed_is_no_hindrance(old):
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    lease(old, f"{socket.gethostname()}:{ended.pid}", time.time() + 60)
    assert SqliteJournal(old).acquire("killed", "now:1", 60).token == 4


def test_two_processes_that_come_at_once_migrate_once(old):
    before = rows(old)
    code = OPEN + "print(SqliteJournal(Path(sys.argv[1])).studies())"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(old)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [one.communicate(timeout=60)[0].strip() for one in both] == ["['smoke-1', 'killed']"] * 2
    assert (version_in(old), rows(old)) == (SCHEMA, before)


def test_without_room_for_the_copy_nothing_is_changed(old, version):
    whole = old.read_bytes()
    # A process may write no file larger than this: what a full disk does, without a disk of one's own.
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); " + OPEN
    code += "SqliteJournal(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(old)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"isoflop.errors.StateError: {old}.v{version}.bak: ")
    assert old.read_bytes() == whole
    assert [file.name for file in old.parent.iterdir() if file.name.endswith((".bak", ".bak-journal"))] == []
    assert not list(old.parent.glob(".*"))
    SqliteJournal(old).close()
    assert version_in(old) == SCHEMA


def test_an_error_within_a_step_takes_all_of_it_back(old, version):
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("CREATE INDEX requests_pending ON leases (token)")  # in the way of the last statement
    with pytest.raises(StateError, match="requests_pending"):
        SqliteJournal(old)
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DROP INDEX requests_pending")
    assert version_in(old) == version
    assert SqliteJournal(old).requests("killed") == []
