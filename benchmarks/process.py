"""Runs a command with everything that it starts, and says what it took."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
}
LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a command took and said."""

    seconds: float
    """Wall clock from before its start to its end."""
    cpu: float
    """CPU seconds of it and all that it started; of a process that ends, up to the last look."""
    output: str


def python(*arguments: str, timeout: float, environment: Mapping[str, str] | None = None) -> Finished:
    """Run this Python with arguments in the repository's root. Raises `RuntimeError` with its output where it fails."""
    return run([sys.executable, *arguments], timeout=timeout, environment=environment)


def run(command: Sequence[str], *, timeout: float, environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end, and end what it leaves behind."""
    variables = {**os.environ, **QUIET, **(environment or {})}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = psutil.Popen(command, cwd=ROOT, env=variables, text=True, stdout=output, stderr=errors)
        tree = Tree(process)
        try:
            while process.poll() is None and time.perf_counter() - began < timeout:
                tree.look()
                time.sleep(LOOK_SECONDS)
            seconds, code = time.perf_counter() - began, process.poll()
        finally:
            tree.end()
        output.seek(0)
        errors.seek(0)
        if code != 0:
            what = f"ended with {code}" if code is not None else f"was ended after {timeout:g} s"
            raise RuntimeError(f"{' '.join(command)} {what}:\n{errors.read()[-4000:]}")
        return Finished(seconds=seconds, cpu=tree.cpu, output=output.read())


class Tree:
    """A process and all that it starts, followed by looking at it again and again."""

    def __init__(self, root: psutil.Process) -> None:
        self.root = root
        self._cpu: dict[psutil.Process, float] = {}

    @property
    def cpu(self) -> float:
        """CPU seconds of all that were seen, user and system."""
        return sum(self._cpu.values())

    def look(self) -> None:
        """Note what each has used."""
        with suppress(psutil.NoSuchProcess):
            for process in [self.root, *self.root.children(recursive=True), *self._cpu]:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._cpu[process] = times.user + times.system

    def end(self) -> None:
        """End what still runs."""
        for process in list(self._cpu):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(list(self._cpu), timeout=10)
