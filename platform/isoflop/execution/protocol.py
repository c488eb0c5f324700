"""The seam: run a plan to its end."""

from __future__ import annotations

from typing import Protocol

from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open
from isoflop.plan import Plan
from isoflop.records import Job, Trial


class Desk(Protocol):
    """Turns a trial of the journal into a job for a worker."""

    def __call__(self, trial: Trial) -> Job:
        """The job of a trial."""
        ...


class Executor(Protocol):
    """Starts, resumes and stops trainings as a plan says until it is finished and nothing is open."""

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end. A bad trial is recorded and the rest goes on; set-up faults are raised.

        On KeyboardInterrupt what is open is marked INTERRUPTED, its last checkpoint stands, and the error is raised.
        """
        ...
