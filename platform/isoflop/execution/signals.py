"""Ctrl-C and SIGTERM as a wish: the run ends between two steps, all of it saved; a second one ends it at once."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 20.0
"""Seconds that a step may take to end before it is broken off."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal. After `PATIENCE`, or at the second one, raise `KeyboardInterrupt` here.

    Signals reach the main thread alone: elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timer = threading.Timer(PATIENCE, _thread.interrupt_main)
    timer.daemon = True
    before = {one: signal.getsignal(one) for one in SIGNALS}

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        for one in SIGNALS:
            signal.signal(one, signal.default_int_handler)
        timer.start()
        stop()

    for one in SIGNALS:
        signal.signal(one, ask)
    try:
        yield
    finally:
        timer.cancel()
        for one, handler in before.items():
            signal.signal(one, handler)
