"""What runs in a Ray worker: one training after another, told apart by their jobs.

A worker imports torch once and takes trial after trial (`reuse_actors`). A training's failure comes back as a result,
never as an exception, so that Ray sees only faults of its own.
"""

from __future__ import annotations

import json
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import tune

from isoflop.errors import IsoflopError
from isoflop.execution.training import Open, Training
from isoflop.records import Job, Key

OUTCOME = "outcome"
"""Key of what a step came to, as JSON: Tune takes nested results apart, and JSON keeps floats to the last bit."""
SAVE_EVERY = 15.0
"""Seconds of training after which a report is followed by a checkpoint, so that a fault costs little."""


def pack(job: Job) -> dict[str, Any]:
    """A job as the plain values that Ray carries."""
    return asdict(job)


def unpack(values: dict[str, Any]) -> Job:
    """The job that `pack` packed."""
    return Job(**{**values, "key": Key(**values["key"])})


def trainable(open_training: Open) -> type[tune.Trainable]:  # noqa: C901 - one small class, counted as a function
    """The class that Ray Tune runs, bound to what opens a job."""

    class Worker(tune.Trainable):
        """Runs the training of one job at a time."""

        def setup(self, config: dict[str, Any]) -> None:
            self._job = unpack(config["job"])
            self._training: Training | None = None
            self._report = 0
            self._saved = time.monotonic()

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            try:
                return {OUTCOME: json.dumps(self._step())}
            except IsoflopError as error:
                return {OUTCOME: json.dumps({"failed": str(error)})}
            except Exception:  # noqa: BLE001 - whatever a training raises is its own result
                return {OUTCOME: json.dumps({"failed": traceback.format_exc(limit=-8)})}

        def _step(self) -> dict[str, Any]:
            if self._training is None:
                self._training = open_training(self._job)
            record = next(self._training)
            self._report = record.report
            if record.report >= int(self._job.config["train.reports"]):  # type: ignore[arg-type]
                return {"record": record.to_dict(), "artifacts": [asdict(a) for a in self._training.finish()]}
            if time.monotonic() - self._saved > SAVE_EVERY:
                self._save()
            return {"record": record.to_dict()}

        def _save(self) -> None:
            if self._training is not None and self._report:
                self._training.save(self._report)
            self._saved = time.monotonic()

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Ray asks before it gives the worker away; the training keeps its own checkpoints."""
            self._save()
            Path(checkpoint_dir, "job").write_text(f"{self._job.study}/{self._job.key}")

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing to do: opening the job goes on from its newest checkpoint."""

        def cleanup(self) -> None:
            self._training = None

    return Worker
