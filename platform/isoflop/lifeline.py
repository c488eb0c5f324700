"""What ties a process to the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def tie_to_parent() -> None:
    """Leave it to the process that started this one when it ends: Ctrl-C is ignored, and it ends with that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()


def _end_with_parent() -> None:
    """End this process with the one that started it, whatever it is doing."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only a process that another one started can be tied to it"
    parent.join()
    os._exit(1)
