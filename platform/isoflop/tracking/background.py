"""Keeps a tracker up to date from a thread of its own: one that is slow or down delays records, never the search."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isoflop.journal.event import Event
from isoflop.journal.protocol import Journal
from isoflop.tracking.protocol import Tracker

LOG = logging.getLogger(__name__)
DRAIN_SECONDS = 60.0


class BackgroundTracker:
    """Reads the journal itself when it is told that something happened, and writes what the tracker has not yet.

    Events that come while it writes, or within `pause` seconds, go out together. After an error it waits `patience`
    seconds, twice as long after each further one up to 64 times that, and then asks the tracker anew where it stands.
    Where there were errors it asks so once more at the end, since a request whose answer was lost may have been heard.
    The tracker is made in the thread, since importing one may take seconds.
    """

    def __init__(
        self, journal: Journal, study: str, make: Callable[[], Tracker], *, pause: float = 1.0, patience: float = 0.5
    ) -> None:
        self.journal, self.study = journal, study
        self.error = ""
        """The last error in a line, empty while all is well."""
        self._make, self._pause, self._patience = make, pause, patience
        self._tracker: Tracker | None = None
        self._cursor: int | None = None
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tracker-{study}", daemon=True)

    def __call__(self, event: Event) -> None:
        """Something happened: this is a listener. It never waits and never raises."""
        self._news.set()
        # Two threads that import at once may meet half-made modules, so the tracker's import waits for the first
        # trial: by then the driver has imported what it needs.
        if event.trial >= 0 and self._thread.ident is None:
            self._thread.start()

    def drain(self, timeout: float) -> str:
        """Write what is left and stop. Returns in a line what could not be written, empty where all is."""
        self._closing.set()
        self._news.set()
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join(timeout)
        if self._thread.is_alive():
            return f"the tracker of {self.study} has not finished after {timeout:g} s ({self.error or 'it is slow'})"
        return self.error

    def _run(self) -> None:
        failures, failed = 0, False
        while True:
            self._news.wait()
            self._news.clear()
            last = self._closing.is_set()
            if last and failed:
                self._cursor = None
            failures = 0 if self._catch_up() else failures + 1
            failed = failed or bool(failures)
            if last:
                break
            if failures:
                self._news.set()
            self._closing.wait(self._patience * 2 ** min(failures - 1, 6) if failures else self._pause)
        if self._tracker is not None:
            self._tracker.close()

    def _catch_up(self) -> bool:
        """Write what is new; False where that failed."""
        try:
            self._sync()
        except Exception as error:  # noqa: BLE001  # whatever a tracker does, the search goes on
            self._cursor = None
            lines = str(error).splitlines() or [type(error).__name__]
            self.error = lines[0]
            return False
        self.error = ""
        return True

    def _sync(self) -> None:
        events = self.journal.read(self.study, after=self._cursor or 0)
        if not events:
            return
        if self._tracker is None:
            self._tracker = self._make()
        if self._cursor is None:
            self._tracker.begin(self.study, events[0])
        self._tracker.sync(self.study, events)
        self._cursor = events[-1].seq


@contextmanager
def tracked(
    study: str, journal: Journal, *, uri: str, artifacts: Path, home: Path | None = None
) -> Iterator[Callable[[Event], None]]:
    """A listener that keeps MLflow up to date with a study while the context lasts, and drains at its end.

    What could not be written is logged in one line; the next run of the study writes it.
    """

    def make() -> Tracker:
        from isoflop.tracking.mlflow_tracker import MlflowTracker  # seconds, and only here

        return MlflowTracker(uri, artifacts=artifacts, home=home or artifacts.parent)

    tracker = BackgroundTracker(journal, study, make)
    try:
        yield tracker
    finally:
        if left := tracker.drain(DRAIN_SECONDS):
            LOG.warning("records are not all in MLflow yet, the next run of study %s writes them: %s", study, left)
