"""The simulator: any number of workers under a virtual clock, so that plans are compared in seconds.

A step costs what its record says it measured (`seconds`), or one second. Nothing waits for real: the clock jumps to the
next worker that is done.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from isoflop.execution.desk import Desk
from isoflop.execution.floor import Floor
from isoflop.execution.outcome import Outcome
from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open
from isoflop.execution.worker import Worker
from isoflop.plan import Plan, Verdict
from isoflop.records import Job, Key


@dataclass
class Clock:
    """The virtual time in seconds. Give it to the recorder too, so that a time budget is virtual as well."""

    now: float = 0.0
    busy: float = 0.0
    """Worker-seconds spent training."""

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass(kw_only=True)
class Simulator:
    """Runs trainings that take no time on workers that do. Equal inputs give equal runs."""

    workers: int
    clock: Clock = field(default_factory=Clock)

    @property
    def utilization(self) -> float:
        """Share of the workers' time until now that was spent training."""
        return self.clock.busy / (self.workers * self.clock.now) if self.clock.now else 0.0

    def prepare(self) -> None:
        """It needs nothing."""

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        floor = Floor(plan, recorder, desk)
        shop = _Shop(floor, open_training, self.clock)
        with recorder.interrupted():
            while True:
                while len(shop.due) < self.workers and (job := floor.next()) is not None:
                    shop.begin(job)
                if not shop.due:
                    assert floor.finished, "the plan waits for itself"
                    return
                shop.arrive()

    def close(self) -> None:
        """It started nothing."""


class _Shop:
    """Workers at work: what each will come to, and when."""

    def __init__(self, floor: Floor, open_training: Open, clock: Clock) -> None:
        self.floor, self.open_training, self.clock = floor, open_training, clock
        self.due: list[tuple[float, int, Key, Worker, Outcome]] = []
        self._order = 0

    def begin(self, job: Job) -> None:
        """Give a training to a free worker."""
        self._step(job.key, Worker(job=job, open_training=self.open_training))

    def arrive(self) -> None:
        """Let the next outcome arrive."""
        self.clock.now, _, key, worker, outcome = heapq.heappop(self.due)
        verdict = self.floor.report(key, outcome)
        if verdict is Verdict.GO:
            self._step(key, worker)
        elif verdict is Verdict.WAIT:
            worker.save()

    def _step(self, key: Key, worker: Worker) -> None:
        outcome = worker.step()
        seconds = outcome.record.measured.get("seconds", 1.0) if outcome.record else 1.0
        self.clock.busy += seconds
        self._order += 1
        heapq.heappush(self.due, (self.clock.now + seconds, self._order, key, worker, outcome))
