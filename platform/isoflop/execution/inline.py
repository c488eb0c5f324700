"""The inline executor: one training after another in this process."""

from __future__ import annotations

from isoflop.execution.desk import Desk
from isoflop.execution.floor import Floor
from isoflop.execution.recorder import Recorder
from isoflop.execution.signals import stoppable
from isoflop.execution.training import Open
from isoflop.execution.worker import Worker
from isoflop.plan import Plan, Verdict
from isoflop.records import Job


class InlineExecutor:
    """Runs each training until it ends or must wait; for debugging, tests and machines without Ray."""

    def prepare(self) -> None:
        """It needs nothing."""

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        floor = Floor(plan, recorder, desk)
        with recorder.interrupted(), stoppable(recorder.ask_to_stop):
            while (job := floor.next()) is not None:
                _train(floor, job, open_training)
            assert floor.finished, "the plan waits for itself"

    def close(self) -> None:
        """It started nothing."""


def _train(floor: Floor, job: Job, open_training: Open) -> None:
    """Take one training as far as the plan lets it."""
    worker = Worker(job=job, open_training=open_training)
    try:
        while (verdict := floor.report(job.key, worker.step())) is Verdict.GO:
            pass
    except BaseException:
        if floor.trial(job.key).reports >= worker.report:  # no checkpoint must be ahead of the journal
            worker.save()  # so that nothing that was reported is trained again
        raise
    if verdict is Verdict.WAIT:
        worker.save()
