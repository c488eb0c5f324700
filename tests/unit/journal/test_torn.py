"""A torn or damaged journal: the rows before the damage, or one line that says so; never an empty journal."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from isoflop.errors import StateError
from isoflop.journal.event import Event, Kind
from isoflop.journal.sqlite import SqliteJournal

BATCHES, BATCH = 40, 3
FRAME = 4096 + 24
"""Bytes of a page in SQLite's log, with its header."""


def events(number):
    return [Event(kind=Kind.RECORD, trial=number, index=i, payload={"x": "y" * 300}) for i in range(BATCH)]


@pytest.fixture(scope="module")
def torn(tmp_path_factory):
    """A journal as `kill -9` leaves it: most of it stands in the log, and no process has it open."""
    folder = tmp_path_factory.mktemp("torn")
    path = folder / "whole" / "journal.sqlite"
    path.parent.mkdir()
    journal = SqliteJournal(path)
    lease = journal.acquire("s", "driver", 60)
    journal.append(lease, [Event(kind=Kind.STUDY)])
    for number in range(BATCHES):
        journal.append(lease, events(number))
    shutil.copytree(path.parent, folder / "left")
    journal.close()
    return folder


@pytest.fixture
def left(torn, tmp_path):
    shutil.copytree(torn / "left", tmp_path / "left")
    return tmp_path / "left" / "journal.sqlite"


@pytest.fixture
def closed(torn, tmp_path):
    shutil.copytree(torn / "whole", tmp_path / "whole")
    return tmp_path / "whole" / "journal.sqlite"


def whole_batches(found):
    """How many batches the events are, checked to be the first ones and whole."""
    assert found[0].kind is Kind.STUDY
    trials = [(event.trial, event.index) for event in found[1:]]
    assert trials == [(t, i) for t in range(len(trials) // BATCH) for i in range(BATCH)]
    return len(trials) // BATCH


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.37, 0.5, 0.73, 0.999])
def test_a_truncated_log_leaves_whole_transactions(left, share):
    log = left.with_name("journal.sqlite-wal")
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.truncate(int(size * share))
    count = whole_batches(SqliteJournal(left).read("s"))
    assert count <= BATCHES
    assert count >= int(BATCHES * share) - 8  # a transaction takes several pages, and none before the cut is lost


def test_without_its_log_a_study_is_still_known(left):
    left.with_name("journal.sqlite-wal").unlink()
    assert SqliteJournal(left).studies() == ["s"]


def test_garbage_in_the_log_leaves_what_stands_before_it(left):
    log = left.with_name("journal.sqlite-wal")
    data = bytearray(log.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = b"\xa5" * 100
    log.write_bytes(data)
    count = whole_batches(SqliteJournal(left).read("s"))
    assert BATCHES // 4 <= count < BATCHES


@pytest.mark.parametrize("pages", [0, 0.5, 1, 2, 3.5, 5, -1])
def test_a_truncated_file_is_one_line(closed, pages):
    size = closed.stat().st_size
    with closed.open("r+b") as file:
        file.truncate(int(pages * 4096) if pages >= 0 else size - 4096)
    with pytest.raises(StateError, match=r"damaged|not a journal") as error:
        SqliteJournal(closed).read("s")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", range(12))
def test_garbage_in_the_file_is_one_line_or_harms_no_event(closed, seed):
    """A page of noise somewhere. Noise within an index may go unseen: then the events are as they were."""
    before = SqliteJournal(closed).read("s")
    data = np.frombuffer(closed.read_bytes(), np.uint8).copy()
    chance = np.random.default_rng(seed)
    page = int(chance.integers(len(data) // 4096)) * 4096
    data[page : page + 4096] = chance.integers(0, 256, 4096)
    closed.write_bytes(data.tobytes())
    try:
        found = SqliteJournal(closed).read("s")
    except StateError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert found == before


def test_an_event_that_is_no_json_is_one_line(closed):
    with closing(sqlite3.connect(closed)) as connection, connection:
        connection.execute("UPDATE events SET payload = '{\"x\": ' WHERE trial = 3 AND idx = 1")
    with pytest.raises(StateError, match="an event of study s cannot be read") as error:
        SqliteJournal(closed).read("s")
    assert "\n" not in str(error.value)


def test_an_event_of_a_version_to_come_is_one_line(closed):
    journal = SqliteJournal(closed)
    with closing(sqlite3.connect(closed)) as connection, connection:
        connection.execute("UPDATE events SET kind = 'dreamt' WHERE trial = 3 AND idx = 1")
    with pytest.raises(StateError, match=r"'dreamt' is not a valid Kind.*upgrade isoflop"):
        journal.read("s")
