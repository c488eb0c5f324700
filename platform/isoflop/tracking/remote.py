"""Keeps a tracker up to date from a process of its own, so that it takes nothing from the driver's.

The process reads the journal by itself. Told to on its standard input it writes what is left and ends. Where the input
is closed without a word the driver was killed, and it ends at once: the next driver has a process of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isoflop.journal.event import Event
from isoflop.journal.sqlite import SqliteJournal
from isoflop.tracking.background import DRAIN_SECONDS, BackgroundTracker
from isoflop.tracking.protocol import Tracker

LOG = logging.getLogger(__name__)
DRAIN = "drain"
"""What the driver says at the end of a run."""
NICE = 10
"""Importing MLflow takes 3 seconds of a core, that trainings and their start have a better use for."""
LOOK_SECONDS = 0.5
"""Between two looks at the journal."""


@contextmanager
def tracked_remotely(
    study: str, journal: Path, *, uri: str, artifacts: Path, patience: float = DRAIN_SECONDS
) -> Iterator[Callable[[Event], None]]:
    """A listener that need not listen: a process keeps MLflow up to date while the context lasts, drained at its end.

    `patience`: seconds that draining may take. What could not be written is logged in one line; the next run of the
    study writes it.
    """
    options = ["--journal", str(journal), "--study", study, "--artifacts", str(artifacts), "--patience", str(patience)]
    process = subprocess.Popen(
        [sys.executable, "-m", "isoflop.tracking.remote", *options],
        env={**os.environ, "ISOFLOP_TRACKING_URI": uri},  # it may hold a password, and arguments are seen by all
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,  # Ctrl-C is the driver's affair; in a session of its own it would not be nice to the driver's
    )
    try:
        yield _silent
    finally:
        if left := _drained(process, 2 * patience):
            LOG.warning("records are not all in MLflow yet, the next run of study %s writes them: %s", study, left)


def _silent(event: Event) -> None:
    """The process reads the journal itself."""
    del event


def _drained(process: subprocess.Popen[str], seconds: float) -> str:
    """Let the process end, in so many seconds at most; what it could not write, in a line."""
    try:
        said, _ = process.communicate(DRAIN, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"it has not finished after {seconds:g} s"
    return said.strip() or ("" if process.returncode == 0 else f"the tracker's process ended with {process.returncode}")


def main() -> None:
    """Follow a study until standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--patience", type=float, default=DRAIN_SECONDS)
    options = parser.parse_args()
    os.nice(NICE)
    journal = SqliteJournal.open_readonly(options.journal)

    def make() -> Tracker:
        from isoflop.tracking.mlflow_tracker import MlflowTracker  # seconds, and only here

        uri = os.environ["ISOFLOP_TRACKING_URI"]
        return MlflowTracker(uri, artifacts=options.artifacts, home=options.artifacts.parent)

    tracker, over = BackgroundTracker(journal, options.study, make), threading.Event()
    threading.Thread(target=_watch, args=(over,), daemon=True).start()
    seen = 0
    while not over.wait(LOOK_SECONDS):
        events = journal.read(options.study, after=seen)
        if events:
            seen = events[-1].seq
            tracker(events[-1])
    print(tracker.drain(options.patience))  # noqa: T201 - the driver reads it


def _watch(over: threading.Event) -> None:
    if sys.stdin.read() != DRAIN:
        os._exit(1)
    over.set()


if __name__ == "__main__":
    main()
