"""How many trainings share a GPU: by the memory that they are measured to take."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Literal

from isoflop.records import Key, Record, Trial

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of a GPU that are handed out; few, so that a worker can take trial after trial of the same share."""
MARGIN = 1.25
"""By how much a training may take more than what trials before it took for their estimate."""


class Packing:
    """Shares of a GPU for trainings. Packing decides where a trial runs, never its numbers.

    A trial's estimate is corrected by the largest ratio of measured to estimated memory so far. One that ran out of
    memory beside others gets a GPU of its own, and one on several devices has a GPU of its own for each.
    """

    def __init__(self, gpus: float | Literal["auto"], total: int, *, devices: int = 1) -> None:
        self.gpus = gpus
        self._total, self._devices = total, devices
        self._ratio = 1.0
        self._alone: set[Key] = set()

    def share(self, trial: Trial) -> float:
        """The GPUs of one trial."""
        if self.gpus != "auto":
            return float(self.gpus) * self._devices
        if self._devices > 1:
            return float(self._devices if self._total else 0)
        if not self._total or trial.key in self._alone:
            return min(1.0, float(self._total))
        need = MARGIN * self._ratio * trial.memory / self._total
        return next((share for share in SHARES if share >= need), 1.0)

    def learn(self, trial: Trial, record: Record) -> None:
        """Take in what a training was measured to take."""
        measured = record.measured.get("memory", 0.0)
        if trial.memory and measured > 0:
            self._ratio = max(self._ratio, measured / trial.memory)

    def exhausted(self, key: Key) -> None:
        """A training ran out of memory."""
        self._alone.add(key)


@cache
def gpu_memory() -> int:
    """Bytes of memory of the smallest GPU of this machine, 0 where it has none."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return 0
    return min((int(line) for line in done.stdout.split() if line.isdigit()), default=0) * 2**20
