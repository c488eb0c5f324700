"""The seam between an executor and a study: what a worker is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from isoflop.families import Scalar
from isoflop.records import Job, Trial


@dataclass(frozen=True, kw_only=True, slots=True)
class Smaller:
    """A configuration that takes less memory."""

    config: Mapping[str, Scalar]
    fingerprint: str


class Desk(Protocol):
    """Turns a trial of the journal into a job for a worker."""

    def job(self, trial: Trial) -> Job:
        """The job of a trial."""
        ...

    def smaller(self, trial: Trial) -> Smaller | None:
        """Its configuration with a smaller micro-batch, none where it cannot be smaller."""
        ...
