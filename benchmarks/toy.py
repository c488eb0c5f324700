"""Trainings that compute nothing: accuracy is a noisy function of the configuration, and costs spread over 1 to 10."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pretence import Pretence
from isoflop.config import ModelConfig
from isoflop.execution.desk import Smaller
from isoflop.planning.search import SearchPlan
from isoflop.records import Job, Record, Trial
from isoflop.spec import spec_from_tree

REPORTS = 9
SPREAD = 10.0
NOISE = 0.01
IMAGES = 640
SPACE = {
    "model.family": "lenet",
    "model.width": {"float": [1.0, 4.0]},
    "optim.lr": {"float": [1e-4, 1e-1], "log": True},
    "optim.weight_decay": {"float": [1e-5, 1e-1], "log": True},
    "loss.label_smoothing": {"float": [0.0, 0.3]},
}


@dataclass(frozen=True)
class Price:
    """What every toy costs."""

    parameters: int = 1
    flops: int = 1000
    memory: int = 0


def price(model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False) -> Price:
    """The price of a toy."""
    del model, batch, states, share, recompute
    return Price()


def plan(**study: object) -> SearchPlan:
    """A search for the best toy."""
    fidelity = {"horizon": REPORTS, "reports": REPORTS}
    tree = {"space": SPACE, "study": {"data": "digits", "fidelity": fidelity, **study}}
    spec = spec_from_tree(tree, where="toy", name="toy")
    return SearchPlan(spec=spec.study, space=spec.space, digest="toy", images=IMAGES, code="toy", price=price)


def height(config: Mapping[str, Any]) -> float:
    """The accuracy that a configuration trains to, without noise; at most 1."""
    rate, decay = math.log10(config["optim.lr"]), math.log10(config["optim.weight_decay"])
    off = (
        ((rate + 2.3) / 1.2) ** 2
        + ((decay + 3.0 - 0.4 * (rate + 2.3)) / 2.5) ** 2
        + ((config["model.width"] - 3.0) / 4.0) ** 2
        + ((config["loss.label_smoothing"] - 0.1) / 0.5) ** 2
    )
    return 1.0 - 0.5 * (1.0 - math.exp(-off))


class Toy(Pretence):
    """A training: accuracy climbs to its height, the wider the slower."""

    def __init__(self, job: Job, *, pause: float = 0.0) -> None:
        super().__init__(job)
        self.pause = pause
        chance = random.Random(repr(sorted(job.config.items())))
        self.seconds = SPREAD ** chance.random()
        self.speed = 0.35 + 0.1 * float(job.config["model.width"])  # type: ignore[arg-type]
        self.noise = [chance.gauss(0.0, NOISE) for _ in range(REPORTS)]

    def __next__(self) -> Record:
        """Report."""
        if self.pause:
            time.sleep(random.random() * self.pause)
        self.report += 1
        value = height(self.job.config) * (1 - self.speed**self.report) + self.noise[self.report - 1]
        return Record(
            report=self.report,
            step=self.report,
            epoch=float(self.report),
            images=self.report,
            flops=float(self.report),
            fidelity=float(self.report),
            metrics={"val_accuracy": value},
            measured={"seconds": self.seconds},
        )


def open_toy(job: Job) -> Toy:
    """Begin, or go on."""
    return Toy(job)


def open_late(job: Job) -> Toy:
    """Begin a toy whose steps take up to 30 ms of real time each, at random."""
    return Toy(job, pause=0.03)


@dataclass(frozen=True)
class ToyDesk:
    """Jobs with their checkpoints below a folder."""

    folder: Path

    def job(self, trial: Trial) -> Job:
        """What a worker is given."""
        return Job(
            study="toy",
            key=trial.key,
            config=trial.config,
            seed=trial.seed,
            data="",
            checkpoints=str(self.folder / str(trial.key)),
        )

    def smaller(self, trial: Trial) -> Smaller | None:
        """There is no smaller toy."""
        del trial
        return None
