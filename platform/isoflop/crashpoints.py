"""Named points at which a process ends at once when the environment says so, as `kill -9` would end it there.

`ISOFLOP_CRASH=NAME:K` ends it the K-th time that it comes to NAME. Tests walk through all of them.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping

from isoflop.errors import Fault, InputError, did_you_mean

VARIABLE = "ISOFLOP_CRASH"
POINTS: Mapping[str, str] = {
    "journal.before_append": "events are to be written, nothing is",
    "journal.inside_append": "events are inserted, not committed",
    "journal.after_append": "events are committed, nobody knows",
    "record.before_listeners": "events are in the history, no listener was told",
    "checkpoint.before_rename": "a checkpoint is written beside its place",
    "checkpoint.after_rename": "a checkpoint stands, those that it replaces too",
    "artifacts.before_end": "a training left its weights and predictions, the journal does not know",
    "tracker.after_create": "a run was made in the tracker, nothing else was written to it",
    "tracker.before_end": "a run is written, not ended",
    "trial.start": "a worker takes up a trial, nothing is loaded yet",
    "trial.resume": "a training went on from its checkpoint, nothing was trained since",
    "worker.step": "a worker begins a step",
    "worker.before_outcome": "a worker trained to a report, the driver does not know",
    "study.before_close": "all trials are final, the study is not closed",
}
"""The legal names, with where each stands."""

_armed = os.environ.get(VARIABLE, "")
_calls: Counter[str] = Counter()


def arm(text: str) -> None:
    """Take `NAME:K` for what the environment says, from now on; empty for nothing."""
    global _armed  # noqa: PLW0603 - what every point looks at must cost one look
    _armed = text
    _calls.clear()


def crash(name: str) -> None:
    """End the process here, where it is asked for. Raises `InputError` where what is asked for is no point."""
    if _armed:
        _reach(name)


def _reach(name: str) -> None:
    assert name in POINTS, f"{name} is not in the list of crash points"
    wanted, count = _parse(_armed)
    _calls[name] += 1
    if name == wanted and _calls[name] == count:
        os.kill(os.getpid(), signal.SIGKILL)


def _parse(text: str) -> tuple[str, int]:
    name, _, count = text.partition(":")
    if name not in POINTS:
        raise InputError(Fault(VARIABLE, f"unknown crash point {name!r}", did_you_mean(name, POINTS)))
    if not (count or "1").isdecimal() or count == "0":
        raise InputError(Fault(VARIABLE, f"{count!r} is no number of calls", f"write {name}:1"))
    return name, int(count or "1")
