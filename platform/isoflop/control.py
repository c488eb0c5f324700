"""What a person asks of a study that runs in another terminal: stop it, end one of its trials, look on."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from isoflop.errors import Fault, InputError, UnknownError
from isoflop.journal.event import Event, Kind
from isoflop.journal.history import History
from isoflop.journal.protocol import Journal, Lease
from isoflop.journal.request import RequestKind
from isoflop.records import Key, Trial

PAUSE = 0.25
"""Seconds between two looks at the journal."""
Say = Callable[[str], object]


def myself() -> str:
    """Who asks, as NAME@HOST."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a process whose user has no entry, as in containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def find_trial(history: History, study: str, key: Key) -> Trial:
    """A trial of a study. Raises `UnknownError` where there is none of this number."""
    trial = history.trials.get(key)
    if trial is None:
        raise UnknownError(Fault("trial", f"study {study} has no trial {key}", f"see: isoflop trials {study}"))
    return trial


def stop_study(
    journal: Journal, study: str, *, by: str, wait: float, say: Say, sleep: Callable[[float], object] = time.sleep
) -> bool:
    """Ask the driver of a study to stop it and wait until it has; False where it had not after `wait` seconds."""
    lease = journal.running(study)
    if lease is None:
        say(f"study {study} is not running")
        return True
    journal.ask(study, RequestKind.STOP, None, by)
    say(f"asked {lease.holder} to stop study {study}")

    def stopped() -> bool:
        now = journal.running(study)
        return now is None or now.token != lease.token

    if not _awaited(stopped, wait, sleep):
        say(_unanswered(lease, wait))
        return False
    say(f"study {study} is stopped; go on: isoflop resume {study}")
    return True


def kill_trial(
    journal: Journal,
    study: str,
    key: Key,
    *,
    by: str,
    wait: float,
    say: Say,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Ask the driver of a study to end one trial and wait until it has; False where it had not after `wait` seconds.

    Raises `UnknownError` for an unknown trial, `InputError` for one that is over, or where nobody runs the study.
    """
    trial, lease = find_trial(History.fold(journal.read(study)), study, key), journal.running(study)
    if trial.state.final:
        raise InputError(Fault(f"trial {key}", f"is {trial.state} already", f"see: isoflop trials {study}"))
    if lease is None:
        raise InputError(Fault(f"study {study}", "is not running", f"nothing runs; go on: isoflop resume {study}"))
    request = journal.ask(study, RequestKind.KILL, key, by)
    say(f"asked {lease.holder} to end trial {key} of study {study}")

    def answered() -> bool:
        return journal.running(study) is None or request not in [one.id for one in journal.requests(study)]

    if not _awaited(answered, wait, sleep):
        say(_unanswered(lease, wait))
        return False
    state = History.fold(journal.read(study)).trials[key].state
    say(f"trial {key} of study {study} is {state}" + ("" if state.final else f": its driver, {lease.holder}, is gone"))
    return True


def news(
    journal: Journal, study: str, after: int, *, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Sequence[Event]]:
    """What happens in a study, a batch a look, from the event behind `after` until it is closed or nobody runs it."""
    while True:
        running = journal.running(study)  # asked first, so that the last events are read after it
        events = journal.read(study, after)
        yield events
        if running is None or any(event.kind is Kind.CLOSED for event in events):
            return
        after = events[-1].seq if events else after
        sleep(PAUSE)


def tail(path: Path, going: Callable[[], bool], *, sleep: Callable[[float], object] = time.sleep) -> Iterator[str]:
    """What is added to a file from its begin on, a piece a look, while something goes on to write it."""
    place = 0
    while True:
        goes_on = going()  # asked first, so that the last lines are read after it
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                file.seek(min(place, size))  # one that was shortened goes on at its end
                text = file.read()
                place = file.tell()
        except OSError:
            text = b""
        yield text.decode(errors="replace")
        if not goes_on:
            return
        sleep(PAUSE)


def _awaited(done: Callable[[], bool], wait: float, sleep: Callable[[float], object]) -> bool:
    """Whether something is done within so many seconds."""
    for _ in range(max(1, round(wait / PAUSE))):
        if done():
            return True
        sleep(PAUSE)
    return done()


def _unanswered(lease: Lease, wait: float) -> str:
    return f"{lease.holder} has not answered after {wait:g} s; the wish stands, it answers when it gets to it"
