"""A real search plan over a real space, with trainings that take no time: their metrics are a function of the job."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isoflop.config import ModelConfig, TrialConfig
from isoflop.errors import DivergedError, ExhaustedError, LostError
from isoflop.execution.desk import Smaller
from isoflop.execution.recorder import Recorder
from isoflop.execution.simulator import Simulator
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.plan import Plan
from isoflop.planning.search import SearchPlan
from isoflop.records import Artifact, Job, Record, State, Trial
from isoflop.spec import spec_from_tree

TREE = {
    "space": {
        "model.family": {
            "choice": {
                "resnet": {
                    "model.width": {"choice": [0.125, 0.25, 0.5, 1.0]},
                    "model.depth": {"choice": [0.5, 1.0]},
                },
                "vit": {"model.stem": 2, "model.depth": {"float": [0.1, 1.0]}},
            }
        },
        "optim.lr": {"float": [1e-4, 1e-1], "log": True},
    },
    "study": {
        "data": "digits",
        "fidelity": {"horizon": 9, "reports": 9},
        "budget": {"trials": 30},
        "sampler": {"startup": 4},
        "constraints": ["parameters <= 900"],
    },
}
REPORTS = 9
RUNGS = (1, 3)
IMAGES = 640


@dataclass(frozen=True)
class Price:
    parameters: int
    flops: int = 1000
    memory: int = 0


def price(model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False) -> Price:
    """Wide nets are too large."""
    return Price(parameters=int(1000 * model.width * model.depth))


def plan(*, space: Mapping[str, Any] | None = None, **study: object) -> SearchPlan:
    tree = {"space": space or TREE["space"], "study": {**TREE["study"], **study}}
    spec = spec_from_tree(tree, where="test", name="test")
    return SearchPlan(spec=spec.study, space=spec.space, digest="d", images=IMAGES, code="c", price=price)


def draw(*place: object) -> float:
    """A number in [0, 1) that the place decides."""
    return int(hashlib.md5(repr(place).encode()).hexdigest(), 16) % 10_000 / 10_000


@dataclass
class ScriptedTraining:
    """Accuracy climbs to a height that the configuration decides; some diverge, some have a bug."""

    job: Job
    report: int = 0
    delay: Callable[[Job, int], float] = lambda job, report: 1.0

    @property
    def drawn(self) -> float:
        return draw(sorted((k, v) for k, v in self.job.config.items() if k.startswith(("model.", "optim."))))

    def __next__(self) -> Record:
        self.report += 1
        if self.report == 1 and self.drawn * 10 % 1 < 0.15:
            raise DivergedError(20, "train_loss")
        if self.report == 1 and self.drawn * 10 % 1 > 0.9:
            raise ZeroDivisionError("a bug in this configuration")
        return Record(
            report=self.report,
            step=10 * self.report,
            epoch=self.report,
            images=self.report,
            flops=self.report,
            fidelity=self.report,
            metrics={"val_accuracy": self.drawn * (1 - 0.5**self.report)},
            measured={"seconds": self.delay(self.job, self.report)},
        )

    def save(self, report: int) -> object:
        folder = Path(self.job.checkpoints)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report").write_text(str(report))
        return report

    def finish(self) -> Sequence[Artifact]:
        if self.job.artifacts is None:
            return []
        return [Artifact(kind="weights", path=self.job.artifacts, sha256=str(self.job.key))]

    def latency(self) -> Mapping[str, Any]:
        return {"latency": 10 * self.drawn, "spread": 0.1, "hardware": "none"}


def open_scripted(job: Job) -> ScriptedTraining:
    """Begin a scripted training, or go on from its checkpoint."""
    saved = Path(job.checkpoints) / "report"
    return ScriptedTraining(job, int(saved.read_text()) if saved.exists() else 0)


def open_deadly(job: Job) -> ScriptedTraining:
    """Begin a training; every third takes its worker down."""
    if job.key.trial % 3 == 1:
        os._exit(9)
    return open_scripted(job)


def open_hanging(job: Job) -> ScriptedTraining:
    """Begin a training; the first worker of all hangs."""
    mark = Path(job.checkpoints).with_name("hung")
    if not mark.exists():
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        threading.Event().wait()
    return open_scripted(job)


def open_silent(job: Job) -> ScriptedTraining:
    """Begin a training; that of trial 0 never says anything."""
    if job.key.trial == 0:
        threading.Event().wait()
    return open_scripted(job)


def open_noted(job: Job) -> ScriptedTraining:
    """Begin a training, and leave a mark of the worker's process."""
    mark = Path(job.checkpoints).with_name("workers") / str(os.getpid())
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return open_scripted(job)


def open_hungry(job: Job) -> ScriptedTraining:
    """Begin a training; every third needs a small micro-batch, and every ninth more memory than there is."""
    if job.key.trial % 3 == 1 and (job.config["train.micro_batch"] is None or job.key.trial % 9 == 1):
        raise ExhaustedError("too little memory")
    return open_scripted(job)


@dataclass
class BrokenTraining(ScriptedTraining):
    """Loses one of its processes once, after the first report."""

    def __next__(self) -> Record:
        mark = Path(self.job.checkpoints) / "lost"
        if self.report == 1 and not mark.exists():
            mark.touch()
            raise LostError("process 1 of 2 ended by signal 9")
        return super().__next__()


def open_broken(job: Job) -> ScriptedTraining:
    """Begin a training, or go on with it; every third loses a process on its way."""
    begun = open_scripted(job)
    return BrokenTraining(job, begun.report) if job.key.trial % 3 == 1 else begun


@dataclass(frozen=True)
class Desk:
    """Jobs with folders below one."""

    folder: Path
    keep: bool = False

    def job(self, trial: Trial) -> Job:
        place = self.folder / str(trial.key)
        return Job(
            study="s",
            key=trial.key,
            config=trial.config,
            seed=trial.seed,
            data="",
            checkpoints=str(place),
            artifacts=str(place) if self.keep else None,
        )

    def smaller(self, trial: Trial) -> Smaller | None:
        config = TrialConfig.from_params(trial.config)
        smaller = replace_micro_batch(config, 8)
        return Smaller(config=smaller.params(), fingerprint=smaller.fingerprint("c"))


def replace_micro_batch(config: TrialConfig, size: int) -> TrialConfig:
    return config.model_copy(update={"train": config.train.model_copy(update={"micro_batch": size})})


def run(plan: Plan, folder: Path, *, workers: int, order: int, journal: MemoryJournal | None = None) -> History:
    """Run a plan on so many workers whose reports arrive in an order that chance decides."""
    chance = random.Random(order)

    def opened(job: Job) -> ScriptedTraining:
        return replace(open_scripted(job), delay=lambda job, report: chance.uniform(0.1, 10.0))

    with Recorder(journal or MemoryJournal(), "s", holder="t") as recorder:
        Simulator(workers=workers).run(plan, recorder, Desk(folder), opened)
        return recorder.history


def table(history: History) -> list[tuple[object, ...]]:
    """What must be equal on any executor."""
    return [
        (n, t.state, tuple(sorted(t.params.items())), tuple(r.metrics["val_accuracy"] for r in t.records))
        for n, t in sorted(((key.trial, trial) for key, trial in history.trials.items()), key=lambda pair: pair[0])
    ]


def states(history: History) -> dict[State, int]:
    """How many trials there are in each state."""
    found = [trial.state for trial in history.trials.values()]
    return {state: found.count(state) for state in sorted(set(found))}
