"""Trials that do no work on Isoflop, the whole path: plan, sampler, prices, journal, Ray with two workers and MLflow.

`python -m benchmarks.idle FOLDER TRIALS [--reports R]` prints when each trial ended, when the search was over, and from
the end of the warm-up to that of the last trial what each kind of process used and where the driver stood. With R
reports there is halving by 3; else one report a trial.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import torch

import isoflop
from benchmarks.curve import accuracy
from benchmarks.pretence import Pretence
from benchmarks.sampling import Profile
from isoflop.bench import Bench
from isoflop.data.preparation import prepare
from isoflop.execution.desk import Desk
from isoflop.execution.protocol import Executor
from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open
from isoflop.home import Home
from isoflop.journal.event import Event, Kind
from isoflop.plan import Plan
from isoflop.records import Job, Record
from isoflop.spec import spec_from_tree
from isoflop.study_spec import Sampler, StudySpec

WORKERS = 2
SPACE = {
    "model.family": {"choice": {"lenet": {"model.width": {"float": [1.0, 4.0]}}}},
    "optim.lr": {"float": [5e-4, 1e-2], "log": True},
    "optim.weight_decay": {"float": [1e-4, 0.1], "log": True},
    "loss.label_smoothing": {"choice": [0.0, 0.1]},
    "train.batch_size": {"choice": [64, 32, 128]},
}


class Idle(Pretence):
    """A training that does nothing; its module has imported torch."""

    def __next__(self) -> Record:
        """Report."""
        self.report += 1
        lr, width = (float(self.job.config[name]) for name in ("optim.lr", "model.width"))  # type: ignore[arg-type]
        value = accuracy(lr=lr, width=width, epoch=self.report)
        return Record(
            report=self.report,
            step=self.report,
            epoch=float(self.report),
            images=self.report,
            flops=1.0,
            fidelity=float(self.report),
            metrics={"val_accuracy": value, "val_loss": 1 - value},
            measured={"seconds": 0.0},
        )


def open_idle(job: Job) -> Idle:
    """Begin, or go on."""
    torch.set_num_threads(1)
    return Idle(job)


class IdleExecutor:
    """An executor whose trainings do nothing."""

    def __init__(self, inner: Executor) -> None:
        self.inner = inner

    def prepare(self) -> None:
        """Begin to get ready."""
        self.inner.prepare()

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        del open_training
        self.inner.run(plan, recorder, desk, open_idle)

    def close(self) -> None:
        """End."""
        self.inner.close()


class IdleBench(Bench):
    """The real thing, but for the trainings."""

    def build_executor(self, spec: StudySpec) -> Executor:
        """Ray's."""
        return IdleExecutor(Bench.build_executor(self, spec))


class Stopwatch:
    """A listener: notes when trials end, and at some of them what all processes have used and the profile says."""

    def __init__(self, marks: Sequence[int], profile: Profile) -> None:
        self.marks, self.profile, self.ends = marks, profile, list[float]()
        self.used: list[dict[str, float]] = []
        self.places: list[dict[str, float]] = []

    def __call__(self, event: Event) -> None:
        """Something happened."""
        if event.kind is not Kind.END:
            return
        self.ends.append(time.perf_counter())
        if len(self.ends) in self.marks:
            self.used.append(usage())
            self.places.append(self.profile.by_place())


def usage() -> dict[str, float]:
    """CPU seconds by kind of process of this one and all below it."""
    found: dict[str, float] = defaultdict(float)
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            name = "driver" if process == me else _kind(process)
            found[name] += times.user + times.system
    return found


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What came to each name; what ended in between is left out."""
    gained = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {name: value for name, value in gained.items() if value > 0}


def _kind(process: psutil.Process) -> str:
    words = " ".join(process.cmdline()[:3])
    for part, name in (("ray::", "workers"), ("raylet/raylet", "raylet"), ("gcs_server", "gcs")):
        if part in words:
            return name
    return "Ray's other processes"


def main() -> None:
    """Run the search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("trials", type=int)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--reports", type=int, default=1)
    parser.add_argument("--sampler", default=Sampler().name)
    options = parser.parse_args()
    home = Home(options.folder).ensure()
    os.environ["ISOFLOP_HOME"] = str(home.path)
    prepare("digits", root=home.data)
    study = {
        "name": "idle",
        "data": "digits",
        "fidelity": {"axis": "epochs", "horizon": options.reports, "reports": options.reports},
        "halving": {"eta": 3, "rungs": 1 if options.reports < 9 else 2} if options.reports > 1 else None,
        "budget": {"trials": options.trials},
        "sampler": {"name": options.sampler},
        "resources": {"workers": WORKERS},
    }
    profile = Profile()
    watch = Stopwatch((options.warmup, options.trials), profile)
    bench = IdleBench(home=home, listeners=(watch,))
    with profile.running():
        isoflop.search(spec_from_tree({"space": SPACE, "study": study}, where="idle"), bench=bench)
        over = time.perf_counter()
    report = {
        "ends": watch.ends,
        "over": over,
        "cpu": since(watch.used[0], watch.used[1]),
        "places": since(watch.places[0], watch.places[1]),
        "drain": since(watch.places[1], profile.by_place()),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
