"""A profile by looking: where each thread of this process stands, again and again, at a cost of about a percent."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PAUSE_SECONDS = 0.01
OURS = "/isoflop/"
TUNE = "/ray/tune/execution/tune_controller.py"


class Profile:
    """Seconds of wall clock by thread and place. Start it, and stop it."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look until the context ends."""
        thread = threading.Thread(target=self._run, name="profile", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def by_place(self) -> dict[str, float]:
        """Seconds by `thread: place` until now."""
        return {f"{thread}: {place}": seconds for (thread, place), seconds in self.seconds.copy().items()}

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.wait(PAUSE_SECONDS):
            now = time.perf_counter()
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():  # noqa: SLF001 - there is no other way to see them
                name = names.get(ident, "")
                if name == "MainThread" or name.startswith("tracker"):
                    self.seconds[name.partition("-")[0], place(frame)] += now - last
            last = now


def place(frame: FrameType) -> str:
    """Where a thread stands: our innermost module, or what Tune's loop or a wait is about."""
    inner, tune = frame, ""
    at: FrameType | None = frame
    while at is not None:
        path = at.f_code.co_filename
        if OURS in path and "/isoflop/study.py" not in path:
            where = f"{_module(path)}:{at.f_code.co_name}{_outside(inner)}"
            return where if not _executor(at) else tune or "Ray Tune"
        if path.endswith(TUNE) and not tune:
            tune = f"Ray Tune, {at.f_code.co_name}{_outside(inner)}"
        at = at.f_back
    return tune or Path(inner.f_code.co_filename).name


def _module(path: str) -> str:
    return path.rpartition(OURS)[2].removesuffix(".py").replace("/", ".")


def _executor(at: FrameType) -> bool:
    """Whether it is the call that gives the process to Ray Tune."""
    return at.f_code.co_name == "_tune"


def _outside(inner: FrameType) -> str:
    """The library that is at work inside, or that it waits."""
    found = inner.f_code.co_filename
    if inner.f_code.co_name in {"wait", "acquire", "_wait_for_tstate_lock"}:
        return " (waits)"
    for library in ("optuna", "torch", "mlflow", "sqlalchemy", "scipy", "pydantic"):
        if f"/{library}/" in found:
            return f" ({library})"
    return ""
