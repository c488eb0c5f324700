"""The seam between an executor and what it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from isoflop.records import Artifact, Job, Record


class Training(Protocol):
    """One training on a worker."""

    def __next__(self) -> Record:
        """Train up to the next report. Raises `TrialError` where it failed, `StateError` where the disk did."""
        ...

    def save(self, report: int) -> object:
        """Write a checkpoint from which opening the job again goes on. Raises `StateError` where the disk refuses."""
        ...

    def finish(self) -> Sequence[Artifact]:
        """After the last report: leave weights and predictions, where the job asks for them."""
        ...

    def latency(self) -> Mapping[str, Any]:
        """Measure a forward pass: `latency` in milliseconds, `spread` and `hardware`. Nothing must run beside."""
        ...


Open = Callable[[Job], Training]
"""Begin a job, or go on from its newest checkpoint. Travels to workers by reference."""
