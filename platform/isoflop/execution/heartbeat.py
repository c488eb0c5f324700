"""Notices that a Ray cluster is gone: Ray itself would wait for a minute and then end the process."""

from __future__ import annotations

import _thread
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from isoflop.errors import StateError

EVERY = 2.0
"""Seconds between two beats."""
MISSES = 5
"""Beats in a row that may be missed."""
GRACE = 5.0
"""Seconds that the main thread has to come back."""


@contextmanager
def heartbeat(address: str, *, every: float = EVERY) -> Iterator[None]:
    """Watch the head of a cluster, `host:port`. Raises `StateError` in the main thread once it has stopped answering.

    Where the main thread is held up inside Ray and does not come back for it, the process says the same and ends; for
    the journal that is no more than `kill -9`.
    """
    lost, stop = threading.Event(), threading.Event()
    text = f"the Ray cluster at {address} is gone; what was finished stands: go on with isoflop resume"

    def watch() -> None:
        missed = 0
        while not stop.wait(every):
            missed = 0 if answers(address) else missed + 1
            if missed == MISSES:
                lost.set()
                _thread.interrupt_main()
                break
        if not stop.wait(GRACE) and lost.is_set():
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - nobody is left to raise it to
            os._exit(1)

    threading.Thread(target=watch, name="heartbeat", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if not lost.is_set():
            raise
        raise StateError(text) from None
    finally:
        stop.set()


def answers(address: str) -> bool:
    """Whether something listens at an address."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=EVERY).close()
    except OSError:
        return False
    return True
