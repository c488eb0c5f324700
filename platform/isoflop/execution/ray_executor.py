"""The Ray executor: Ray Tune, driven through its own extension points as the plan says.

Tune's searcher asks for the next trial and is told to wait where the plan waits; Tune's scheduler pauses, resumes and
stops trials as the plan's verdicts say. Both are thin: they write to the journal and ask the plan. Ray's own state is
never relied on, so it is kept in a folder that is thrown away.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.update(
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "86400",
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    }
)

import ray
from ray import tune
from ray.tune.error import TuneError
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from isoflop.errors import StateError
from isoflop.execution.capacity import workers
from isoflop.execution.protocol import Desk
from isoflop.execution.ray_worker import OUTCOME, pack, trainable, unpack
from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open
from isoflop.plan import Decision, Plan, Verdict
from isoflop.records import Artifact, Key, Record, State
from isoflop.study_spec import Resources

RETRIES = 3
"""Times that a trial whose worker died is started again from its checkpoint."""


class RayExecutor:
    """Runs trainings on the workers of a Ray cluster, by default one that is started on this machine for the run."""

    def __init__(self, resources: Resources, *, address: str | None = None) -> None:
        self.resources, self.address = resources, address

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        floor = Floor(plan, recorder, desk)
        with cluster(self.resources, self.address), tempfile.TemporaryDirectory(prefix="isoflop-ray-") as scratch:
            try:
                _tune(floor, self.resources, open_training, Path(scratch))
            except KeyboardInterrupt:
                recorder.interrupt()
                raise
            except TuneError:
                if floor.fault is None:
                    raise
                raise floor.fault from None  # what Tune wrapped


@contextmanager
def cluster(resources: Resources, address: str | None = None) -> Iterator[None]:
    """A Ray cluster to work on: the one of this process if there is one, that at an address, or a local one."""
    if ray.is_initialized():
        yield
        return
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        cpus = workers(resources) * resources.threads
        # "local", or Ray would join any cluster that happens to run on this machine.
        ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def _tune(floor: Floor, resources: Resources, open_training: Open, scratch: Path) -> None:
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    need = {"cpu": float(resources.threads), "gpu": float(0 if resources.gpus == "auto" else resources.gpus)}
    tuner = tune.Tuner(
        tune.with_resources(trainable(open_training), need),
        tune_config=tune.TuneConfig(
            search_alg=PlanSearcher(floor), scheduler=PlanScheduler(floor), num_samples=-1, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        ),
    )
    tuner.fit()


class Floor:
    """Where Tune's searcher and scheduler meet: the plan, the recorder, and which training each Tune trial runs."""

    def __init__(self, plan: Plan, recorder: Recorder, desk: Desk) -> None:
        self.plan, self.recorder, self.desk = plan, recorder, desk
        self.backlog = [trial.key for trial in recorder.history.open()]
        """Trainings that were open when this run began, not handed out yet."""
        self.fault: StateError | None = None
        """Why the run must end, where it must."""

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Tune pickles all that it is given in order to restore it; this is never restored, but made anew."""
        return type(None), ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Floor:
        """There is one floor, however often Tune copies what stands on it."""
        return self

    def decide(self) -> Decision:
        """What the plan says now."""
        return self.recorder.decide(self.plan)

    def next(self) -> Key | None:
        """The training to hand to a worker: one that was open, else a fresh one; none where all must wait."""
        for key in list(self.backlog):
            verdict = self.decide().verdicts.get(key, Verdict.GO)
            if verdict is Verdict.WAIT:
                continue
            self.backlog.remove(key)
            if verdict is Verdict.GO:
                return key
            self.recorder.end(key, State.PRUNED, "rung")
        while (proposal := self.decide().start) is not None:
            self.recorder.start(proposal)
            if proposal.state is None:
                return proposal.key
        return None

    @property
    def empty(self) -> bool:
        """Whether nothing will ever be handed out again."""
        return not self.backlog and self.decide().finished

    def reported(self, key: Key, result: dict[str, Any]) -> Verdict:
        """Take in what a worker sent; what becomes of its training."""
        if "failed" in result:
            self.recorder.end(key, State.FAILED, result["failed"])
            return Verdict.STOP
        fresh = self.recorder.record(key, Record.from_dict(result["record"]))
        if "artifacts" in result:
            self.recorder.end(key, State.COMPLETE, artifacts=[Artifact(**a) for a in result["artifacts"]])
            return Verdict.STOP
        self.recorder.state(key, State.RUNNING)
        verdict = self.decide().verdicts.get(key, Verdict.GO) if fresh else Verdict.GO
        if verdict is Verdict.STOP:
            self.recorder.end(key, State.PRUNED, "rung")
        elif verdict is Verdict.WAIT:
            self.recorder.state(key, State.WAITING)
        return verdict


class PlanSearcher(Searcher):
    """Tells Tune which trial comes next, or to wait."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(metric="training_iteration", mode="max")  # always there; Tune insists on one
        self._floor = floor

    def suggest(self, trial_id: str) -> Any:
        """The job of the next training, none to wait, FINISHED at the end."""
        del trial_id
        key = self._floor.next()
        if key is not None:
            return {"job": pack(self._floor.desk(self._floor.recorder.history.trials[key]))}
        return Searcher.FINISHED if self._floor.empty else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002 - Tune's signature
        """The journal knows already, but where a worker died too often: then the run ends, and can be resumed."""
        del trial_id, result
        if error:
            recorder = self._floor.recorder
            recorder.interrupt()
            self._floor.fault = StateError(
                f"study {recorder.study}: workers died {RETRIES + 1} times at one trial; what was finished stands; "
                f"look for too little memory, then run: isoflop resume {recorder.study}"
            )
            raise self._floor.fault

    def save(self, checkpoint_path: str) -> None:
        """Nothing: it can be made anew from the journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: it is made anew from the journal."""


class PlanScheduler(FIFOScheduler):
    """Pauses, resumes and stops Tune's trials as the plan says."""

    def __init__(self, floor: Floor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._floor = floor
        self._waiting: dict[Key, TuneTrial] = {}

    def on_trial_result(self, _controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """Write the report to the journal and do what the plan says of it."""
        key = unpack(trial.config["job"]).key
        verdict = self._floor.reported(key, json.loads(result[OUTCOME]))
        if verdict is Verdict.WAIT:
            self._waiting[key] = trial
            return str(TrialScheduler.PAUSE)
        return str(TrialScheduler.STOP if verdict is Verdict.STOP else TrialScheduler.CONTINUE)

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """A waiting trial whose wait is over, lowest number first, else one that was never started."""
        verdicts = self._floor.decide().verdicts
        for key in sorted(self._waiting, key=lambda k: (k.trial, k.replicate)):
            trial = self._waiting[key]
            verdict = verdicts.get(key, Verdict.GO)
            if verdict is Verdict.WAIT or trial.status != TuneTrial.PAUSED:
                continue
            del self._waiting[key]
            if verdict is Verdict.GO:
                return trial
            self._floor.recorder.end(key, State.PRUNED, "rung")
            tune_controller.stop_trial(trial)
        return next((t for t in tune_controller.get_trials() if t.status == TuneTrial.PENDING), None)
