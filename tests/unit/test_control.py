"""What is asked of a running driver, and what is said of its answer. The driver answers between two looks."""

from __future__ import annotations

import pytest

from isoflop.control import kill_trial, myself, news, stop_study, tail
from isoflop.errors import InputError, UnknownError
from isoflop.journal.event import Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.journal.request import RequestKind
from isoflop.records import Key, State
from tests.made_up import Writer


@pytest.fixture
def journal():
    return MemoryJournal(clock=lambda: 100.0)


@pytest.fixture
def driver(journal):
    """Runs study `s`, whose trial 0 is COMPLETE and whose trial 1 is open."""
    writer = Writer(journal, "s")
    writer.trial(0, [0.5], State.COMPLETE)
    writer.trial(1, [0.5])
    return writer


class Terminal:
    """What a person reads; while they wait, something happens."""

    def __init__(self, *happens) -> None:
        self.lines, self.waited, self._happens = [], 0, list(happens)

    def sleep(self, seconds):
        self.waited += 1
        if self._happens:
            self._happens.pop(0)()

    def options(self, wait=1.0):
        return {"by": "me@here", "wait": wait, "say": self.lines.append, "sleep": self.sleep}


def test_a_study_that_nobody_runs_is_not_asked(journal, driver):
    journal.release(driver.lease)
    terminal = Terminal()
    assert stop_study(journal, "s", **terminal.options())
    assert terminal.lines == ["study s is not running"]
    assert journal.requests("s") == []


def test_a_study_is_stopped_when_its_driver_has_given_the_lease_back(journal, driver):
    def answer():
        (request,) = journal.requests("s")
        assert (request.kind, request.key, request.by) == (RequestKind.STOP, None, "me@here")
        journal.answered(driver.lease, [request.id])

    terminal = Terminal(answer, lambda: None, lambda: journal.release(driver.lease))
    assert stop_study(journal, "s", **terminal.options())
    assert terminal.waited == 3
    assert terminal.lines == [
        "asked test to stop study s",
        "study s is stopped; go on: isoflop resume s",
    ]


def test_a_driver_that_does_not_answer_is_named_and_the_wish_stands(journal, driver):
    terminal = Terminal()
    assert not stop_study(journal, "s", **terminal.options(wait=2.0))
    assert terminal.waited == 8
    assert terminal.lines[-1] == "test has not answered after 2 s; the wish stands, it answers when it gets to it"
    assert len(journal.requests("s")) == 1


def test_a_study_that_another_driver_took_over_was_stopped_by_the_first(journal, driver):
    terminal = Terminal(lambda: journal.release(driver.lease) or journal.acquire("s", "next", 60))
    assert stop_study(journal, "s", **terminal.options())


def test_one_trial_is_ended(journal, driver):
    def answer():
        (request,) = journal.requests("s")
        assert (request.kind, request.key) == (RequestKind.KILL, Key(trial=1))
        driver.write(Kind.END, 1, payload={"state": "KILLED", "reason": f"stopped by {request.by}"})
        journal.answered(driver.lease, [request.id])

    terminal = Terminal(answer)
    assert kill_trial(journal, "s", Key(trial=1), **terminal.options())
    assert terminal.lines == ["asked test to end trial 1 of study s", "trial 1 of study s is KILLED"]


def test_a_driver_that_dies_instead_is_told(journal, driver):
    terminal = Terminal(lambda: journal.release(driver.lease))
    assert kill_trial(journal, "s", Key(trial=1), **terminal.options())
    assert terminal.lines[-1] == "trial 1 of study s is WAITING: its driver, test, is gone"


def test_trials_that_cannot_be_ended_are_a_person_s_mistake(journal, driver):
    terminal = Terminal()
    with pytest.raises(InputError, match="trial 0: is COMPLETE already"):
        kill_trial(journal, "s", Key(trial=0), **terminal.options())
    with pytest.raises(UnknownError, match="study s has no trial 7; see: isoflop trials s"):
        kill_trial(journal, "s", Key(trial=7), **terminal.options())
    journal.release(driver.lease)
    with pytest.raises(InputError, match="study s: is not running; nothing runs; go on: isoflop resume s"):
        kill_trial(journal, "s", Key(trial=1), **terminal.options())
    assert journal.requests("s") == []


def test_who_asks_is_a_name_at_a_host():
    name, _, host = myself().partition("@")
    assert name
    assert host


def test_news_come_batch_by_batch_until_the_study_is_closed(journal, driver):
    after = journal.read("s")[-1].seq
    terminal = Terminal(
        lambda: driver.trial(2, [0.1, 0.2]),
        lambda: None,
        lambda: driver.write(Kind.CLOSED, payload={"state": "COMPLETE"}),
    )
    batches = [[event.kind for event in batch] for batch in news(journal, "s", after, sleep=terminal.sleep)]
    assert batches == [[], [Kind.START, Kind.RECORD, Kind.RECORD], [], [Kind.CLOSED]]


def test_news_end_with_the_driver_and_none_is_lost(journal, driver):
    def last():
        driver.trial(2, [0.1])
        journal.release(driver.lease)

    batches = list(news(journal, "s", journal.read("s")[-1].seq, sleep=Terminal(last).sleep))
    assert [event.kind for batch in batches for event in batch] == [Kind.START, Kind.RECORD]


def test_a_file_s_tail_is_all_of_it_though_it_comes_late_and_is_cut(tmp_path):
    path, goes_on = tmp_path / "log.txt", [True]

    def last():
        path.write_bytes(b"longer than before\n")
        goes_on.clear()

    terminal = Terminal(lambda: path.write_bytes(b"a\n"), lambda: path.write_bytes(b"a\nb\n"), last)
    assert list(tail(path, lambda: bool(goes_on), sleep=terminal.sleep)) == ["", "a\n", "b\n", "er than before\n"]


def test_a_file_that_was_shortened_goes_on_at_its_end(tmp_path):
    path, goes_on = tmp_path / "log.txt", [True]
    path.write_bytes(b"a long line\n")

    def last():
        path.write_bytes(b"short\nnew\n")
        goes_on.clear()

    terminal = Terminal(lambda: path.write_bytes(b"short\n"), last)
    assert list(tail(path, lambda: bool(goes_on), sleep=terminal.sleep)) == ["a long line\n", "", "new\n"]
