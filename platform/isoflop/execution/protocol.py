"""The seam: run a plan to its end."""

from __future__ import annotations

from typing import Protocol

from isoflop.execution.desk import Desk
from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open
from isoflop.plan import Plan


class Executor(Protocol):
    """Starts, resumes and stops trainings as a plan says until it is finished and nothing is open.

    One runs one plan. Whoever has it closes it.
    """

    def prepare(self) -> None:
        """Begin to start what it needs; a run does so where this was not called."""
        ...

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end. A bad trial is recorded and the rest goes on; set-up faults are raised.

        On KeyboardInterrupt and on a fault of the state folder what is open is marked INTERRUPTED, its last checkpoint
        stands, and the error is raised.
        """
        ...

    def close(self) -> None:
        """Wait until all that it started has ended."""
        ...
