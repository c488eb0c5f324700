"""The journal's file: processes side by side, kills, damage."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from isoflop.errors import StateError
from isoflop.journal.event import SCHEMA, Event, Kind
from isoflop.journal.lease import gone
from isoflop.journal.sqlite import SqliteJournal

WRITER = """
import sys
from pathlib import Path
from isoflop.journal.event import Event, Kind
from isoflop.journal.sqlite import SqliteJournal

path, study, batches, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = SqliteJournal(path)
lease = journal.acquire(study, "writer", 600)
sys.stdin.readline()
for number in range(batches):
    journal.append(lease, [Event(kind=Kind.RECORD, trial=number, index=i, payload={"x": i}) for i in range(batch)])
    print(number, flush=True)
"""


def start(path, study, batches, batch):
    command = [sys.executable, "-c", WRITER, str(path), study, str(batches), str(batch)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a folder's name" / "journal.sqlite"


@pytest.fixture
def journal(path):
    path.parent.mkdir()
    return SqliteJournal(path)


def fill(journal, count, study="s"):
    lease = journal.acquire(study, "test", 60)
    journal.append(lease, [Event(kind=Kind.RECORD, trial=0, index=i, payload={"x": "y" * 200}) for i in range(count)])
    return lease


def test_two_processes_write_two_studies_at_once(path):
    path.parent.mkdir()
    writers = [start(path, study, 40, 3) for study in ("a", "b")]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate(timeout=60)[0].split()[-1] for writer in writers] == ["39", "39"]
    journal = SqliteJournal(path)
    for study in ("a", "b"):
        assert [(e.trial, e.index) for e in journal.read(study)] == [(t, i) for t in range(40) for i in range(3)]


def test_kill_9_leaves_whole_transactions_and_all_that_was_told(path):
    path.parent.mkdir()
    with start(path, "s", 100_000, 5) as writer:
        writer.stdin.write("go\n")
        writer.stdin.flush()
        for _ in range(25):
            told = int(writer.stdout.readline())
        writer.kill()
    events = SqliteJournal(path).read("s")
    assert len(events) % 5 == 0
    assert [(e.trial, e.index) for e in events] == [(t, i) for t in range(len(events) // 5) for i in range(5)]
    assert len(events) // 5 >= told + 1


def test_making_a_journal_leaves_nothing_beside_it(journal, path):
    journal.close()
    assert [file.name for file in path.parent.iterdir()] == ["journal.sqlite"]


def test_a_reader_sees_what_a_writer_wrote_and_cannot_write(journal, path):
    reader = SqliteJournal.open_readonly(path)
    assert reader.read("s") == []
    fill(journal, 3)
    assert reader.read("s") == journal.read("s")
    assert reader.studies() == ["s"]
    with pytest.raises(StateError, match="cannot be written"):
        reader.acquire("t", "reader", 60)


def test_a_reader_of_no_journal_is_told_what_to_do(path):
    with pytest.raises(StateError, match="run isoflop search"):
        SqliteJournal.open_readonly(path)
    assert not path.parent.exists()


def test_a_folder_that_is_none_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="set ISOFLOP_HOME") as error:
        SqliteJournal(tmp_path / "file" / "journal.sqlite")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_database_is_left_alone(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database, but somebody's file" * 100)
    before = path.read_bytes()
    with pytest.raises(StateError, match="move it away or put a copy back"):
        SqliteJournal(path)
    assert path.read_bytes() == before


def test_another_program_s_database_is_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StateError, match="not a journal of isoflop"):
        SqliteJournal(path)
    names = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("theirs",)]


def test_damaged_pages_are_one_line(journal, path):
    fill(journal, 500)
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xa5" * (len(whole) - 8192))
    with pytest.raises(StateError, match="damaged; move it away or put a copy back"):
        SqliteJournal(path).read("s")


def test_a_newer_journal_is_refused_with_the_remedy(journal, path):
    journal._connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    for open_again in (SqliteJournal, SqliteJournal.open_readonly):
        with pytest.raises(StateError, match="upgrade isoflop"):
            open_again(path)


def test_a_full_disk_is_one_line_and_loses_nothing(journal):
    lease = fill(journal, 10)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count={pages + 1}")
    big = [Event(kind=Kind.RECORD, trial=1, index=i, payload={"x": "y" * 5000}) for i in range(10)]
    for _ in range(3):
        with pytest.raises(StateError, match="disk is full; free some space") as error:
            journal.append(lease, big)
        assert "\n" not in str(error.value)
    assert len(journal.read("s")) == len(SqliteJournal(journal.path).read("s")) == 10
    journal._connection.execute("PRAGMA max_page_count=100000")
    assert journal.append(lease, big) == 10
    assert [event.seq for event in SqliteJournal(journal.path).read("s")] == list(range(1, 21))


def test_an_error_within_a_transaction_takes_all_of_it_back(journal):
    lease = fill(journal, 1)
    with pytest.raises(TypeError):
        journal.append(lease, [Event(kind=Kind.END, trial=0), Event(kind=Kind.END, trial=1, payload={"x": object()})])
    assert len(journal.read("s")) == 1


def test_a_commit_reaches_the_disk_before_it_is_told(journal):
    assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.parametrize("holder", ["elsewhere:1", "no process", "", "elsewhere:1:5"])
def test_of_a_holder_that_is_not_ours_nothing_is_known(holder):
    assert not gone(holder)
