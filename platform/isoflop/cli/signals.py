"""Ctrl-C and SIGTERM stop a command in order, and a second one of them ends it at once."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def caught() -> Iterator[Callable[[], int]]:
    """Raise `KeyboardInterrupt` at the first signal. Gives a function that tells the exit code for it, 130 or 143.

    It is told whoever handles the signal: a run sets handlers of its own.
    """
    ours = [one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]  # nohup has them ignored
    before = {one: signal.signal(one, _stop) for one in ours}
    reader, writer = socket.socketpair()
    with reader, writer:
        for end in (reader, writer):
            end.setblocking(False)
        wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield lambda: _code(reader)
        finally:
            signal.set_wakeup_fd(wakeup)
            for one, handler in before.items():
                signal.signal(one, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    for one in SIGNALS:
        signal.signal(one, signal.SIG_DFL)
    raise KeyboardInterrupt


def _code(reader: socket.socket) -> int:
    """128 and the first signal that came, 130 where none did."""
    try:
        came = reader.recv(64)
    except BlockingIOError:
        came = b""
    return 128 + next((number for number in came if number in SIGNALS), signal.SIGINT)
