"""Ray Tune, driven through its own extension points as the plan says.

Tune's searcher asks for the next trial and is told to wait where the plan waits; Tune's scheduler pauses, resumes and
stops trials as the plan's verdicts say. Both are thin: they write to the journal and ask the plan. Ray's own state is
never relied on, so it is kept in a folder that is thrown away.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.error import TuneError
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from isoflop.execution.floor import Floor
from isoflop.execution.heartbeat import heartbeat
from isoflop.execution.outcome import Outcome
from isoflop.execution.packing import Packing, gpu_memory
from isoflop.execution.ray_worker import JOB, OUTCOME, SHARE, pack, trainable
from isoflop.execution.signals import stoppable
from isoflop.execution.training import Open
from isoflop.execution.warm import warm
from isoflop.plan import Verdict
from isoflop.records import Key, State
from isoflop.study_spec import Resources, seconds

LOOK_SECONDS = 10.0


def tuned(floor: Floor, resources: Resources, open_training: Open) -> None:
    """Run a plan to its end on the cluster that this process is connected to."""
    packing = Packing(resources.gpus, gpu_memory() if resources.gpus == "auto" else 0, devices=resources.devices)
    with (
        tempfile.TemporaryDirectory(prefix=f"isoflop-ray-{os.getpid()}-") as scratch,
        stoppable(floor.recorder.ask_to_stop),
        heartbeat(ray.get_runtime_context().gcs_address),
    ):
        tuning = Tuning(floor, packing, slots=Slots(resources), silence=seconds(resources.silence))
        try:
            _tune(tuning, resources, open_training, Path(scratch))
        except TuneError:
            if tuning.error is None:
                raise
            raise tuning.error from None  # what Tune wrapped


def _tune(tuning: Tuning, resources: Resources, open_training: Open, scratch: Path) -> None:
    logging.getLogger("ray.tune").setLevel(logging.ERROR)

    def need(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([{"CPU": float(resources.cpus), "GPU": config[SHARE]}])

    tuner = tune.Tuner(
        tune.with_resources(trainable(open_training), need),
        tune_config=tune.TuneConfig(
            search_alg=PlanSearcher(tuning), scheduler=PlanScheduler(tuning), num_samples=-1, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[Watch(tuning)],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=-1),  # a lost worker is counted by the floor
        ),
    )
    with warm():
        tuner.fit()


class Slots:
    """How many trainings run side by side at most; nodes may come and go."""

    def __init__(self, resources: Resources) -> None:
        self._resources, self._looked, self._count = resources, -LOOK_SECONDS, 1

    def count(self) -> int:
        """The number, looked up every few seconds."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked, self._count = time.monotonic(), self._found()
        return self._count

    def _found(self) -> int:
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        slots, gpus = there.get("CPU", 1.0) / self._resources.cpus, self._resources.gpus
        if isinstance(gpus, float) and gpus > 0:
            slots = min(slots, there.get("GPU", 0.0) / (gpus * self._resources.devices))
        return max(1, int(slots))


class Tuning:
    """What Tune's searcher, scheduler and callbacks share: the floor, and which training each Tune trial runs."""

    def __init__(self, floor: Floor, packing: Packing, *, slots: Slots, silence: float) -> None:
        self.floor, self.packing, self.slots, self.silence = floor, packing, slots, silence
        self.error: Exception | None = None
        """What must end the run, where Tune would wrap it."""
        self._trials: dict[Key, TuneTrial] = {}
        self._heard: dict[Key, float] = {}
        self._leaving: list[TuneTrial] = []
        """Those that were told to stop and still have their workers."""

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Tune pickles all that it is given in order to restore it; this is never restored, but made anew."""
        return type(None), ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tuning:
        """There is one, however often Tune copies what holds it."""
        return self

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Keep what goes wrong here from being wrapped by Tune."""
        try:
            yield
        except Exception as error:
            self.error = error
            raise

    def suggest(self) -> dict[str, Any] | str | None:
        """The job of a training that no Tune trial runs yet, none to wait, FINISHED at the end."""
        if self._saving():
            return None
        if self._enough():
            self.floor.decide()  # so that the next proposal is made while the others train
            return None
        job = self.floor.next(held=self._trials)
        if job is not None:
            return {JOB: pack(job), SHARE: self.packing.share(self.floor.trial(job.key))}
        return str(Searcher.FINISHED) if self.floor.finished else None

    def _enough(self) -> bool:
        """Whether as many trials are pending as workers are free.

        Tune asks for the resources of each pending trial, which takes 10 ms, and gives them back when it reuses a
        worker.
        """
        self._leaving = [trial for trial in self._leaving if trial.status == TuneTrial.RUNNING]
        busy = sum(trial.status in {TuneTrial.PENDING, TuneTrial.RUNNING} for trial in self._trials.values())
        return busy + len(self._leaving) >= self.slots.count()

    def add(self, trial: TuneTrial) -> None:
        """Tune made a trial of a suggestion."""
        self._trials[key_of(trial)] = trial

    def began(self, trial: TuneTrial) -> None:
        """A worker has begun with a trial."""
        self._heard[key_of(trial)] = time.monotonic()
        self.floor.recorder.state(key_of(trial), State.RUNNING)  # again, where another worker was lost

    def report(self, trial: TuneTrial, outcome: Outcome) -> Verdict:
        """A worker has something to say."""
        key = key_of(trial)
        self._heard[key] = time.monotonic()
        verdict = self.floor.report(key, outcome)
        if outcome.record is not None:
            self.packing.learn(self.floor.trial(key), outcome.record)
        if outcome.exhausted:
            self.packing.exhausted(key)
            verdict = Verdict.STOP  # Tune forgets it: it comes again with another share of a GPU
        if verdict is not Verdict.GO:
            self._heard.pop(key, None)
        if verdict is Verdict.STOP:
            self._leaving.append(self._trials.pop(key))
        return verdict

    def lost(self, trial: TuneTrial, reason: str) -> None:
        """The worker of a trial was lost; Tune begins it again on another."""
        key = key_of(trial)
        self._heard.pop(key, None)
        self.floor.lost(key, reason)

    def resume(self) -> TuneTrial | None:
        """The paused trial whose turn it is. Raises `KeyboardInterrupt` where the run is to stop and all is saved."""
        if self.floor.recorder.stopping and not self._saving():
            raise KeyboardInterrupt
        for key in self.floor.ready():
            trial = self._trials.get(key)
            if trial is None:
                return None  # one that Tune does not know yet comes first
            if trial.status == TuneTrial.PAUSED:
                trial.set_config({**trial.config, JOB: pack(self.floor.take(key))})  # type: ignore[no-untyped-call]
                return trial
        return None

    def over(self) -> list[TuneTrial]:
        """Trials of Tune that ended in the journal while they waited, or by a person's wish."""
        history = self.floor.recorder.history
        ended = [key for key in self._trials if key not in self.floor.running and history.trials[key].state.final]
        killed = [key for key in self.floor.running if history.trials[key].state.final]
        self.floor.running.difference_update(killed)
        for key in killed:
            self._heard.pop(key, None)
        return [self._trials.pop(key) for key in {*ended, *killed}]

    def _saving(self) -> bool:
        """Whether the run was asked to stop, and trainings are still on their way to a checkpoint."""
        running = any(trial.status == TuneTrial.RUNNING for trial in self._trials.values())
        return running and self.floor.recorder.stopping

    def silent(self) -> list[TuneTrial]:
        """Trials whose workers have said nothing for too long."""
        now = time.monotonic()
        late = [key for key, heard in self._heard.items() if now - heard > self.silence]
        for key in late:
            self._heard[key] = now
        return [self._trials[key] for key in late]


def key_of(trial: TuneTrial) -> Key:
    """The training that a Tune trial runs."""
    return Key(**trial.config[JOB]["key"])


class PlanSearcher(Searcher):
    """Tells Tune which trial comes next, or to wait."""

    def __init__(self, tuning: Tuning) -> None:
        super().__init__(metric="training_iteration", mode="max")  # always there; Tune insists on one
        self._tuning = tuning

    def suggest(self, trial_id: str) -> Any:
        """The next job."""
        del trial_id
        with self._tuning.faults():
            return self._tuning.suggest()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT001, FBT002 - Tune's signature
        """The journal knows already."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: it can be made anew from the journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: it is made anew from the journal."""


class PlanScheduler(FIFOScheduler):
    """Pauses, resumes and stops Tune's trials as the plan says."""

    def __init__(self, tuning: Tuning) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tuning = tuning

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        """Tune made a trial of a suggestion, or begins one again."""
        del tune_controller
        self._tuning.add(trial)

    def on_trial_result(self, _controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        """Write the report to the journal and do what the plan says of it."""
        with self._tuning.faults():
            verdict = self._tuning.report(trial, Outcome.from_text(result[OUTCOME]))
        return {
            Verdict.WAIT: str(TrialScheduler.PAUSE),
            Verdict.STOP: str(TrialScheduler.STOP),
            Verdict.GO: str(TrialScheduler.CONTINUE),
        }[verdict]

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:
        """A waiting trial whose wait is over, lowest number first; those that were never started Tune starts itself."""
        with self._tuning.faults():
            for trial in self._tuning.over():
                tune_controller.stop_trial(trial)
            return self._tuning.resume()


class Watch(tune.Callback):
    """Notes lost workers, and ends those that hang."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """A worker has begun with a trial."""
        del iteration, trials, info
        with self._tuning.faults():
            self._tuning.began(trial)

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """A worker was lost."""
        del iteration, trials, info
        with self._tuning.faults():
            self._tuning.lost(trial, "its worker was lost")

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """End the workers that have said nothing for too long; Tune then begins their trials again."""
        del iteration, trials, info
        for trial in self._tuning.silent():
            if (actor := trial.temporary_state.ray_actor) is not None:
                ray.kill(actor)
