"""What runs in a Ray worker: one training after another, told apart by their jobs.

A worker imports torch once and takes trial after trial (`reuse_actors`). A training's failure comes back as a result,
never as an exception, so that Ray sees only faults of its own.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from isoflop.errors import StateError
from isoflop.execution.training import Open
from isoflop.execution.worker import Worker
from isoflop.records import Job, Key

JOB = "job"
"""Key of a Tune configuration under which the job stands."""
SHARE = "gpus"
"""Key of a Tune configuration under which the trial's share of a GPU stands."""
OUTCOME = "outcome"
"""Key of a Tune result under which a step's outcome stands, as text."""


def pack(job: Job) -> dict[str, Any]:
    """A job as the plain values that Ray carries."""
    return asdict(job)


def unpack(values: dict[str, Any]) -> Job:
    """The job that `pack` packed."""
    fellows = tuple(unpack(one) for one in values["fellows"])
    return Job(**{**values, "key": Key(**values["key"]), "fellows": fellows})


def trainable(open_training: Open) -> type[tune.Trainable]:
    """The class that Ray Tune runs, bound to what opens a job."""

    class Trainable(tune.Trainable):
        """Runs the training of one job at a time."""

        def setup(self, config: dict[str, Any]) -> None:
            self._worker = Worker(job=unpack(config[JOB]), open_training=open_training)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            return {OUTCOME: self._worker.step().to_text()}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Tune asks before it gives the worker to another; the training keeps its own checkpoints."""
            if fault := self._worker.save():
                raise StateError(fault)
            Path(checkpoint_dir, "job").write_text(str(self._worker.job.key))

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing to do: opening the job goes on from its newest checkpoint."""

    return Trainable
