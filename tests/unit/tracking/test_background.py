"""Writing from a thread: in order, in batches, and never in the search's way."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from isoflop.errors import StateError
from isoflop.journal.event import Event, Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Key, State
from isoflop.tracking.background import BackgroundTracker, tracked
from isoflop.tracking.memory import MemoryTracker

START = {"params": {}, "config": {"optim.lr": 0.1}, "seed": 1, "fingerprint": "f"}
OPENING = Event(kind=Kind.STUDY, payload={"name": "n"}, time=5.0)


class Downtime(MemoryTracker):
    """A tracker that is down for the next `failures` calls."""

    def __init__(self, failures):
        super().__init__()
        self.failures, self.refused, self.batches = failures, 0, []
        self.up = threading.Event()

    def begin(self, study, opening):
        self._fail()
        return super().begin(study, opening)

    def sync(self, study, events):
        self._fail()
        self.batches.append([event.seq for event in events])
        super().sync(study, events)
        self.up.set()

    def _fail(self):
        if self.refused < self.failures:
            self.refused += 1
            raise StateError("the server is down\nand says so at length")


class Search:
    """Writes events as a driver does: to the journal, then to the listener."""

    def __init__(self, tracker, **options):
        self.journal = MemoryJournal()
        self.lease = self.journal.acquire("s", "driver", 60)
        self.background = BackgroundTracker(
            self.journal, "s", lambda: tracker, **{"pause": 0.0, "patience": 0.0, **options}
        )

    def write(self, *events):
        self.journal.append(self.lease, events)
        for event in events:
            self.background(event)


def start(trial):
    return Event(kind=Kind.START, trial=trial, payload=START, time=6.0)


def end(trial):
    return Event(kind=Kind.END, trial=trial, payload={"state": "COMPLETE"}, time=7.0)


def test_everything_is_written_by_the_end():
    tracker = MemoryTracker()
    search = Search(tracker)
    search.write(OPENING)
    for trial in range(20):
        search.write(start(trial), end(trial))
    assert search.background.drain(30) == ""
    assert [tracker.runs["s"][Key(trial=t)].state for t in range(20)] == [State.COMPLETE] * 20
    assert tracker.cursors["s"] == search.journal.read("s")[-1].seq


def test_events_go_out_while_the_search_goes_on():
    tracker = Downtime(0)
    search = Search(tracker)
    search.write(OPENING, start(0))
    assert tracker.up.wait(30)
    assert Key(trial=0) in tracker.runs["s"]
    search.background.drain(30)


def test_events_of_one_pause_go_out_together():
    tracker = Downtime(0)
    search = Search(tracker, pause=3600.0)
    search.write(OPENING, start(0))
    assert tracker.up.wait(30)
    for trial in range(1, 9):
        search.write(start(trial))
    search.background.drain(30)
    assert len(tracker.batches) <= 2
    assert len(tracker.runs["s"]) == 1 + 9


def test_a_tracker_that_comes_back_gets_all_it_missed():
    tracker = Downtime(3)
    search = Search(tracker)
    search.write(OPENING, start(0))
    assert tracker.up.wait(30)
    assert search.background.drain(30) == ""
    assert (tracker.refused, list(tracker.runs["s"])) == (3, [None, Key(trial=0)])


def test_a_tracker_that_stays_down_stops_nothing_and_is_told_in_a_line():
    tracker = Downtime(10**9)
    search = Search(tracker, patience=3600.0)
    search.write(OPENING, start(0), end(0))
    assert search.background.drain(30) == "the server is down"
    assert len(search.journal.read("s")) == 3


def test_a_tracker_that_hangs_is_given_up():
    release = threading.Event()

    class Hangs(MemoryTracker):
        def sync(self, study, events):
            release.wait(30)

    search = Search(Hangs())
    search.write(OPENING, start(0))
    assert "has not finished after 0.01 s" in search.background.drain(0.01)
    release.set()


def test_the_next_run_writes_what_was_left():
    down, tracker = Downtime(10**9), MemoryTracker()
    search = Search(down)
    search.write(OPENING, start(0))
    search.background.drain(30)
    again = BackgroundTracker(search.journal, "s", lambda: tracker)
    assert again.drain(30) == ""
    assert list(tracker.runs["s"]) == [None, Key(trial=0)]


def test_a_restart_tells_all_once_and_then_only_what_is_new():
    tracker = Downtime(0)
    search = Search(tracker)
    search.write(OPENING, start(0))
    search.background.drain(30)
    tracker.batches.clear()
    tracker.up.clear()
    search.background = again = BackgroundTracker(search.journal, "s", lambda: tracker, pause=0.0)
    search.write(end(0))
    assert tracker.up.wait(30)
    search.write(start(1))
    assert again.drain(30) == ""
    assert tracker.batches == [[1, 2, 3], [4]]


def test_after_an_error_the_tracker_is_asked_once_more_at_the_end():
    class Lost(Downtime):
        begun = 0

        def begin(self, study, opening):
            self.begun += 1
            return super().begin(study, opening)

    for failures, begun in ((0, 1), (1, 3)):
        tracker = Lost(failures)
        search = Search(tracker)
        search.write(OPENING, start(0))
        assert tracker.up.wait(30)
        assert search.background.drain(30) == ""
        assert tracker.begun == begun


def test_no_tracker_is_made_where_nothing_happened():
    def never():
        raise AssertionError

    assert BackgroundTracker(MemoryJournal(), "s", never).drain(30) == ""


def test_the_tracker_is_not_made_before_the_first_trial():
    search = Search(MemoryTracker())
    search.write(OPENING)
    assert search.background._thread.ident is None
    search.background.drain(30)


def test_what_could_not_be_written_is_logged_in_one_line(tmp_path, caplog):
    (tmp_path / "file").touch()
    journal = MemoryJournal()
    lease = journal.acquire("s", "driver", 60)
    uri = f"sqlite:///{tmp_path}/file/mlflow.sqlite"
    with caplog.at_level(logging.WARNING), tracked("s", journal, uri=uri, artifacts=tmp_path / "artifacts") as tell:
        journal.append(lease, [OPENING])
        tell(OPENING)
    (line,) = caplog.messages
    assert "study s" in line
    assert str(tmp_path) in line
    assert "\n" not in line


@pytest.mark.parametrize("module", ["background", "memory", "projection", "protocol", "remote", "store"])
def test_mlflow_is_imported_by_its_writer_alone(module):
    code = f"import sys, isoflop.tracking.{module}; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
