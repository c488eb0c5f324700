"""What one training prints, in one text file, while its worker runs one training after another.

Nothing here raises into a training: what the disk refuses is lost.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from isoflop.errors import IsoflopError

LIMIT = 1_000_000
"""Bytes of a log. Above it, the first and the last quarter of that are kept."""
CUT = b"... here lines were left out ...\n"
PATIENCE = 4096
"""Characters of a line without an end, such as a progress bar's, after which they are written nevertheless."""


class JobLog:
    """The log of one training; of none, where there is no path."""

    def __init__(self, path: Path | None, *, limit: int = LIMIT) -> None:
        self.path, self.limit = path, limit
        self._lock = threading.Lock()
        self._line = ""

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Take what this thread prints, logs and warns of. Other threads print where they did.

        An exception that leaves it is written with its traceback, one of Isoflop's own as a line.
        """
        if self.path is None:
            yield
            return
        try:
            with _routed(self):
                yield
        except StopIteration:
            raise
        except BaseException as error:
            self.traceback(error)
            raise
        finally:
            self.write("\n" if self._line else "")

    def note(self, text: str) -> None:
        """A line of Isoflop's own, with the time in UTC."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self.write(f"--- {stamp} UTC, process {os.getpid()} on {socket.gethostname()}: {text}\n")

    def traceback(self, error: BaseException) -> None:
        """How a training failed."""
        if isinstance(error, (IsoflopError, KeyboardInterrupt)):
            self.note(str(error) or "interrupted")
        else:
            self.note("failed")
            self.write("".join(traceback.format_exception(error)))

    def write(self, text: str) -> None:
        """Take a piece of text; whole lines go to the file at once."""
        with self._lock:
            lines, end, self._line = (self._line + text).rpartition("\n")
            if len(self._line) > PATIENCE:
                lines, end, self._line = lines + end, self._line, ""
            if lines or end:
                self._append(f"{lines}{end}".encode(errors="backslashreplace"))

    def _append(self, data: bytes) -> None:
        if self.path is None:
            return
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                file.write(data)
                size = os.fstat(file.fileno()).st_size
            if size > self.limit:
                _shorten(self.path, self.limit // 4)


def read(path: Path) -> str:
    """A log's text, empty where there is none."""
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def forget_warnings() -> None:
    """Have Python tell again of what it has warned of: it tells a process once, and this is another training."""
    with warnings.catch_warnings():
        pass


def _shorten(path: Path, part: int) -> None:
    """Keep so many bytes at both ends, in whole lines. It needs no room on the disk."""
    with path.open("r+b", buffering=0) as file:
        data = file.read()
        head, tail = data[:part], data[-part:]
        head = head[: head.rfind(b"\n") + 1] or head + b"\n"
        tail = tail[tail.find(b"\n") + 1 :]
        file.seek(0)
        file.write(head + CUT + tail)
        file.truncate()


class _Stream:
    """Stands in for a stream: what a thread with a log writes goes there, and all else where it went before."""

    def __init__(self, beneath: TextIO) -> None:
        self.beneath = beneath

    def write(self, text: str) -> int:
        log = _log()
        if log is None:
            return self.beneath.write(text)
        log.write(text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if _log() is None:
            self.beneath.flush()

    def isatty(self) -> bool:
        return _log() is None and self.beneath.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


class _Handler(logging.Handler):
    """Writes what a thread with a log logs. For other threads it leaves things as they are without it."""

    def emit(self, record: logging.LogRecord) -> None:
        log = _log()
        if log is not None:
            log.write(f"{self.format(record)}\n")
        elif logging.lastResort is not None and record.levelno >= logging.lastResort.level and self._alone(record):
            logging.lastResort.handle(record)

    def _alone(self, record: logging.LogRecord) -> bool:
        """Whether Python would have fallen back to its last resort."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return True


_LOGS: dict[int, JobLog] = {}
_LOCK = threading.Lock()
_HANDLER = _Handler()
_HANDLER.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


def _log() -> JobLog | None:
    """The log of this thread."""
    return _LOGS.get(threading.get_ident())


@contextmanager
def _routed(log: JobLog) -> Iterator[None]:
    """Send to a log what this thread prints; streams are as before when the last thread is done."""
    thread = threading.get_ident()
    with _LOCK:
        before = _LOGS.get(thread)
        _LOGS[thread] = log
        _install()
    try:
        yield
    finally:
        with _LOCK:
            if before is None:
                del _LOGS[thread]
            else:
                _LOGS[thread] = before
            if not _LOGS:
                _remove()


def _install() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _Stream):
            setattr(sys, name, _Stream(stream))
    logging.getLogger().addHandler(_HANDLER)  # once, however often it is asked


def _remove() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Stream):  # else somebody put theirs over ours, and takes it away again
            setattr(sys, name, stream.beneath)
    logging.getLogger().removeHandler(_HANDLER)
