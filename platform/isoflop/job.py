"""A job's training, as an executor runs it on a worker."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from isoflop.config import TrialConfig
from isoflop.crashpoints import crash
from isoflop.energy import Meter, meter
from isoflop.fellows import Leader, Repeated, Told
from isoflop.joblog import JobLog, forget_warnings
from isoflop.models.latency import STEADY, fastest, measure_latency
from isoflop.records import Artifact, Job, Record
from isoflop.trained import open_for
from isoflop.training.team import Run, Team
from isoflop.trial import run_trial


class JobTraining:
    """A job's training, as an executor runs it. What it prints, how far it is and how it fails stands in its log."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.config = TrialConfig.from_params(job.config)
        self.log = JobLog(Path(job.log) if job.log else None)
        self._run: Run | None = None

    def __next__(self) -> Record:
        """Train up to the next report."""
        with self.log.capture():
            run = self.begin()
            with self._meter:
                record = next(run)
        self.log.note(_said(record))
        return replace(record, measured={**record.measured, **self._meter.joules()})

    def save(self, report: int) -> object:
        """Write a checkpoint after a report."""
        with self.log.capture():
            return self.begin().save(report)

    def finish(self) -> Sequence[Artifact]:
        """Leave weights and predictions where the job asks for them."""
        with self.log.capture():
            folder = self.job.artifacts
            artifacts = self.begin().finish(Path(folder), weights=self.job.keep_weights) if folder else []
        self.log.note("finished")
        crash("artifacts.before_end")
        return artifacts

    def latency(self) -> Mapping[str, Any]:
        """Measure a forward pass of the job's model, with the threads that it trains with."""
        with self.log.capture():
            prepared = open_for(self.config, Path(self.job.data))
            found = measure_latency(
                self.config.model,
                image=prepared.shape,
                classes=prepared.outputs,
                batch=self.job.batch,
                passes=self.job.passes,
                lasting=STEADY,
                threads=self.config.train.threads,
            )
        self.log.note(str(found))
        return found.to_dict()

    @cached_property
    def _meter(self) -> Meter:
        """What counts its energy, in whichever processes it runs."""
        gpus = self.config.train.devices if fastest().type == "cuda" else 0
        return meter(self._pids, gpus=gpus)

    def _pids(self) -> Sequence[int]:
        return [os.getpid(), *(self._run.pids() if isinstance(self._run, Team) else [])]

    def begin(self) -> Run:
        """The training, begun or gone on with when it is first asked for."""
        if self._run is None:
            self.log.note(f"begin with seed {self.job.seed}")
            crash("trial.start")
            self._run = self._opened()
            if self._run.step:
                self.log.note(f"go on after step {self._run.step}")
                crash("trial.resume")
        return self._run

    def _opened(self) -> Run:
        if self.job.fellows:
            return Leader(self.job)
        if self.config.fused.members > 1 and (told := Told.of(self.job)).whole:
            return Repeated(told)
        return run_trial(
            self.config,
            self.job.seed,
            data=Path(self.job.data),
            checkpoints=Path(self.job.checkpoints),
            weights={name: Path(file) for name, file in self.job.weights.items()},
            flops=self.job.flops,
            observe=self.job.observe,
            asked=self.job.asked,
        )


def open_job(job: Job) -> JobTraining:
    """Begin a job's training, or go on from its newest checkpoint; where it asks for its latency, only get ready."""
    training = JobTraining(job)
    with training.log.capture():
        forget_warnings()
        if not job.measure:
            training.begin()
    return training


def _said(record: Record) -> str:
    """A record in a line."""
    numbers = {**record.metrics, "seconds": record.measured.get("seconds", 0.0)}
    values = " ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return f"report {record.report}, step {record.step}: {values}"
