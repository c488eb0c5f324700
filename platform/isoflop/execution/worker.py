"""What a worker does with a job, step by step, whatever runs the worker."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field

from isoflop.crashpoints import crash
from isoflop.errors import ExhaustedError, IsoflopError, LostError, StateError
from isoflop.execution.outcome import Outcome
from isoflop.execution.training import Open, Training
from isoflop.records import Job

SHARE = 20
"""A checkpoint is written when the training since the last one took at least this many times as long as it takes."""


@dataclass(kw_only=True)
class Worker:
    """One job on a worker. A failure comes back as an outcome, never as an exception, and the rest goes on."""

    job: Job
    open_training: Open
    _training: Training | None = None
    _report: int = 0
    _saved: int = 0
    _since: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def step(self) -> Outcome:
        """Train to the next report, or measure the latency where the job asks for it."""
        crash("worker.step")
        outcome = self._outcome()
        crash("worker.before_outcome")
        if outcome.record is None and outcome.latency is None:
            self._training = None  # broken off within a step: nothing to save or to go on with
        return outcome

    def _outcome(self) -> Outcome:
        try:
            return self._step()
        except ExhaustedError as error:
            return Outcome(exhausted=str(error))
        except LostError as error:
            return Outcome(lost=str(error))
        except StateError as error:
            return Outcome(fault=str(error))
        except IsoflopError as error:
            return Outcome(failed=str(error))
        except Exception:  # noqa: BLE001 - whatever a training raises is its own result
            return Outcome(failed=traceback.format_exc(limit=-8))

    @property
    def report(self) -> int:
        """The last report that it came to."""
        return self._report

    def save(self) -> str:
        """Write a checkpoint of the last report, if there is none yet. Returns what failed, empty where nothing did."""
        if self._training is None or self._report == self._saved:
            return ""
        began = time.monotonic()
        try:
            self._training.save(self._report)
        except StateError as error:
            return str(error)
        self._since = time.monotonic()
        self._saved, self._cost = self._report, self._since - began
        return ""

    def _step(self) -> Outcome:
        if self._training is None:
            self._training = self.open_training(self.job)
        if self.job.measure:
            return Outcome(latency=self._training.latency())
        # Only now: what was reported stands in the journal, and no checkpoint must be ahead of it.
        if time.monotonic() - self._since >= SHARE * self._cost and (fault := self.save()):
            return Outcome(fault=fault)
        record = next(self._training)
        self._report = record.report
        if record.report >= self.job.reports:
            return Outcome(record=record, artifacts=self._training.finish())
        return Outcome(record=record)
