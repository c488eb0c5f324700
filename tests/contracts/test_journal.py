"""What every journal keeps: one suite over the one on disk and its twin."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import threading

import pytest

from isoflop.errors import LeaseError
from isoflop.journal.event import Event, Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.journal.request import RequestKind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import Key

OURS, THEIRS = "one:1", "two:2"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def journal(request, tmp_path, clock):
    if request.param == "memory":
        return MemoryJournal(clock=clock)
    return SqliteJournal(tmp_path / "journal.sqlite", clock=clock)


def record(trial, report, **payload):
    return Event(kind=Kind.RECORD, trial=trial, index=report, payload=payload, time=float(report))


def test_events_come_back_whole_and_in_order(journal):
    lease = journal.acquire("s", OURS, 60)
    events = [
        Event(kind=Kind.STUDY, payload={"spec": {"a": [1, 2]}}, time=1.5),
        Event(kind=Kind.RECORD, trial=3, replicate=2, index=1, payload={"loss": 0.5, "bad": math.inf}, time=2.5),
    ]
    assert journal.append(lease, events) == 2
    first, second = journal.read("s")
    assert (first.kind, first.trial, first.payload, first.time) == (Kind.STUDY, -1, {"spec": {"a": [1, 2]}}, 1.5)
    assert (second.kind, second.trial, second.replicate, second.index) == (Kind.RECORD, 3, 2, 1)
    assert second.payload == {"loss": 0.5, "bad": math.inf}
    assert 0 < first.seq < second.seq


def test_nan_and_infinities_survive(journal):
    lease = journal.acquire("s", OURS, 60)
    journal.append(lease, [record(0, 1, a=math.nan, b=-math.inf)])
    payload = journal.read("s")[0].payload
    assert math.isnan(payload["a"])
    assert payload["b"] == -math.inf


def test_payloads_come_back_as_json_values(journal):
    lease = journal.acquire("s", OURS, 60)
    journal.append(lease, [record(0, 1, pair=(1, 2), kind=Kind.END)])
    payload = journal.read("s")[0].payload
    assert payload == {"pair": [1, 2], "kind": "end"}
    assert type(payload["kind"]) is str


def test_writing_twice_changes_nothing(journal):
    lease = journal.acquire("s", OURS, 60)
    assert journal.append(lease, [record(0, 1, loss=1.0), record(0, 2, loss=0.5)]) == 2
    before = journal.read("s")
    assert journal.append(lease, [record(0, 2, loss=9.0), record(0, 3, loss=0.25)]) == 1
    assert journal.read("s")[:2] == before
    assert [e.payload["loss"] for e in journal.read("s")] == [1.0, 0.5, 0.25]


@pytest.mark.parametrize(
    "other",
    [
        Event(kind=Kind.STATE, trial=1, replicate=1, index=1),
        Event(kind=Kind.RECORD, trial=2, replicate=1, index=1),
        Event(kind=Kind.RECORD, trial=1, replicate=2, index=1),
        Event(kind=Kind.RECORD, trial=1, replicate=1, index=2),
    ],
)
def test_kind_trial_replicate_and_index_name_an_event(journal, other):
    lease = journal.acquire("s", OURS, 60)
    assert journal.append(lease, [Event(kind=Kind.RECORD, trial=1, replicate=1, index=1), other]) == 2


def test_read_after_a_seq_gives_only_what_is_newer(journal):
    lease = journal.acquire("s", OURS, 60)
    journal.append(lease, [record(0, report) for report in (1, 2, 3)])
    first, second, third = journal.read("s")
    assert journal.read("s", after=first.seq) == [second, third]
    assert journal.read("s", after=third.seq) == []


def test_studies_are_apart_and_listed_oldest_first(journal):
    later, sooner = journal.acquire("a", OURS, 60), journal.acquire("b", OURS, 60)
    journal.append(sooner, [record(0, 1, of="b")])
    journal.append(later, [record(0, 1, of="a")])
    journal.append(sooner, [record(0, 2, of="b")])
    assert journal.studies() == ["b", "a"]
    assert [e.payload["of"] for e in journal.read("b")] == ["b", "b"]
    assert [e.payload["of"] for e in journal.read("a")] == ["a"]


def test_the_head_of_a_study_is_its_newest_event(journal):
    for study in ("a", "b"):
        journal.append(journal.acquire(study, OURS, 60), [record(0, 1), record(0, 2)])
    assert [journal.head(study) for study in ("a", "b")] == [journal.read(study)[-1].seq for study in ("a", "b")]
    assert journal.head("b") > journal.head("a") > 0


def test_an_unknown_study_is_empty(journal):
    assert journal.read("nothing") == []
    assert journal.head("nothing") == 0
    assert journal.studies() == []


def test_a_second_driver_is_refused_by_name_until_the_lease_expires(journal, clock):
    first = journal.acquire("s", OURS, 60)
    clock.now += 59
    with pytest.raises(LeaseError, match=r"study s: one:1 is running it.* 1 s"):
        journal.acquire("s", THEIRS, 60)
    clock.now += 1
    second = journal.acquire("s", THEIRS, 60)
    assert second.token > first.token
    with pytest.raises(LeaseError, match="taken over by two:2"):
        journal.append(first, [record(0, 1)])
    with pytest.raises(LeaseError, match="taken over by two:2"):
        journal.renew(first, 60)
    assert journal.read("s") == []
    assert journal.append(second, [record(0, 1)]) == 1


def test_renewing_holds_the_lease(journal, clock):
    lease = journal.acquire("s", OURS, 60)
    clock.now += 50
    renewed = journal.renew(lease, 60)
    clock.now += 50
    with pytest.raises(LeaseError):
        journal.acquire("s", THEIRS, 60)
    assert (renewed.token, renewed.expires) == (lease.token, 1110.0)
    assert journal.append(lease, [record(0, 1)]) == 1


def test_a_released_lease_is_free_and_writes_no_more(journal):
    first = journal.acquire("s", OURS, 60)
    journal.release(first)
    with pytest.raises(LeaseError, match="given back"):
        journal.append(first, [record(0, 1)])
    assert journal.acquire("s", THEIRS, 60).token > first.token


def test_releasing_after_a_take_over_changes_nothing(journal, clock):
    first = journal.acquire("s", OURS, 60)
    clock.now += 61
    second = journal.acquire("s", THEIRS, 60)
    journal.release(first)
    with pytest.raises(LeaseError, match="two:2"):
        journal.acquire("s", OURS, 60)
    assert journal.append(second, [record(0, 1)]) == 1


def test_the_same_holder_may_come_again_and_fences_its_former_self(journal):
    first, second = journal.acquire("s", OURS, 60), journal.acquire("s", OURS, 60)
    with pytest.raises(LeaseError):
        journal.append(first, [record(0, 1)])
    assert journal.append(second, [record(0, 1)]) == 1


def test_leases_of_two_studies_do_not_meet(journal):
    journal.acquire("a", OURS, 60)
    lease = journal.acquire("b", THEIRS, 60)
    assert journal.append(lease, [record(0, 1)]) == 1


def test_without_a_lease_nothing_is_written(journal):
    lease = journal.acquire("a", OURS, 60)
    stranger = type(lease)(study="b", holder=OURS, token=lease.token, expires=lease.expires)
    with pytest.raises(LeaseError):
        journal.append(stranger, [record(0, 1)])


def test_the_lease_of_a_process_that_has_ended_is_free_at_once(journal):
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    journal.acquire("s", f"{socket.gethostname()}:{ended.pid}", 60)
    assert journal.acquire("s", THEIRS, 60).token == 2


def test_threads_may_share_a_journal(journal):
    lease = journal.acquire("s", OURS, 60)

    def write(trial):
        for report in range(10):
            journal.append(lease, [record(trial, report)])

    threads = [threading.Thread(target=write, args=(trial,)) for trial in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = journal.read("s")
    assert len(events) == 40
    assert [e.seq for e in events] == sorted({e.seq for e in events})


def test_an_expiry_that_no_lease_can_have_is_a_clock_s_that_jumped_back(journal, clock):
    first = journal.acquire("s", OURS, 60)
    clock.now -= 61  # two lengths of a lease away, and more
    assert journal.running("s") is None
    second = journal.acquire("s", THEIRS, 60)
    with pytest.raises(LeaseError, match="taken over by two:2"):
        journal.append(first, [record(0, 1)])
    assert journal.append(second, [record(0, 1)]) == 1


def test_a_clock_that_is_set_back_a_little_frees_no_lease(journal, clock):
    journal.acquire("s", OURS, 60)
    clock.now -= 30
    with pytest.raises(LeaseError, match="one:1 is running it"):
        journal.acquire("s", THEIRS, 60)
    with pytest.raises(LeaseError, match="one:1 is running it"):
        journal.acquire("s", THEIRS, 5)  # the holder's lease may be longer than one's own


def test_who_runs_a_study_is_told_while_the_lease_holds(journal, clock):
    assert journal.running("s") is None
    lease = journal.acquire("s", OURS, 60)
    assert journal.running("s") == lease
    assert journal.running("t") is None
    clock.now += 60
    assert journal.running("s") is None
    journal.release(journal.acquire("s", THEIRS, 60))
    assert journal.running("s") is None


def test_leases_that_nobody_gave_back_are_stale_once_they_expired(journal, clock):
    for study in ("b", "a", "given back"):
        lease = journal.acquire(study, OURS, 60)
    journal.release(lease)
    assert journal.stale() == []
    clock.now += 60
    assert [(lease.study, lease.holder) for lease in journal.stale()] == [("a", OURS), ("b", OURS)]


def test_requests_are_pending_until_they_are_answered(journal, clock):
    clock.now = 7.0
    first = journal.ask("s", RequestKind.KILL, Key(trial=3, replicate=1), "me@here")
    clock.now = 8.0
    second = journal.ask("s", RequestKind.STOP, None, "you@there")
    journal.ask("t", RequestKind.STOP, None, "you@there")
    kill, stop = journal.requests("s")
    assert (kill.id, kill.study, kill.kind, kill.key, kill.made, kill.by) == (
        first,
        "s",
        RequestKind.KILL,
        Key(trial=3, replicate=1),
        7.0,
        "me@here",
    )
    assert (stop.id, stop.kind, stop.key) == (second, RequestKind.STOP, None)
    assert second > first


def test_only_the_driver_of_a_study_answers_and_only_for_it(journal, clock):
    lease = journal.acquire("s", OURS, 60)
    mine, other = journal.ask("s", RequestKind.STOP, None, "me"), journal.ask("t", RequestKind.STOP, None, "me")
    journal.answered(lease, [mine, other, 99])
    assert journal.requests("s") == []
    assert [request.id for request in journal.requests("t")] == [other]
    again = journal.ask("s", RequestKind.KILL, Key(trial=0), "me")
    clock.now += 60
    journal.acquire("s", THEIRS, 60)
    with pytest.raises(LeaseError, match="taken over by two:2"):
        journal.answered(lease, [again])
    assert [request.id for request in journal.requests("s")] == [again]


def test_a_new_driver_is_not_stopped_by_what_was_asked_of_the_last_one(journal):
    journal.release(journal.acquire("s", OURS, 60))
    journal.ask("s", RequestKind.STOP, None, "me")
    kill = journal.ask("s", RequestKind.KILL, Key(trial=0), "me")
    other = journal.ask("t", RequestKind.STOP, None, "me")
    journal.acquire("s", THEIRS, 60)
    assert [request.id for request in journal.requests("s")] == [kill]
    assert [request.id for request in journal.requests("t")] == [other]
