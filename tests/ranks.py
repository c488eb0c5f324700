"""Trainings that several processes share: one that is ended from outside, and ones that fail as they are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from isoflop.config import TrialConfig
from isoflop.errors import DivergedError, ExhaustedError
from isoflop.records import Record
from isoflop.training.parallel import Ranks
from isoflop.training.team import Team
from isoflop.trial import run_trial

CPU = torch.device("cpu")


def config(devices: int, **params: Any) -> TrialConfig:
    """A net that treats each image by itself, so that as many devices as one likes come to the same step."""
    return TrialConfig.from_params(
        {
            "model.family": "lenet",
            "data.name": "digits",
            "optim.name": "adamw",
            "optim.lr": 2e-3,
            "optim.clip": 1.0,
            "augment.crop": 1,
            "train.horizon": 1.0,
            "train.reports": 2,
            "train.devices": devices,
            "train.micro_batch": 12,
            **params,
        }
    )


@dataclass
class Failing(Iterator[Record]):
    """Fails at its first report: the second rank in a way of its own, while the first waits for it for ever."""

    how: str
    ranks: Ranks
    step: int = 7

    def __next__(self) -> Record:
        if not self.ranks.place:
            self.ranks.mean(torch.zeros(1))
        if self.how == "exhausted":
            raise ExhaustedError("out of memory on the second device")
        if self.how == "diverged":
            raise DivergedError(3, "train_loss")
        raise ZeroDivisionError("a bug of the second rank")


def open_failing(how: str, *, device: torch.device, ranks: Ranks) -> Failing:
    """Begin one in a rank."""
    assert device == CPU
    return Failing(how, ranks)


def main() -> None:
    """Train up to the first report, save, say who trains, and wait for the end."""
    data, checkpoints = map(Path, sys.argv[1:])
    run = run_trial(config(2), 3, data=data, checkpoints=checkpoints, device=CPU)
    assert isinstance(run, Team)
    record = next(run)
    run.save(1)
    said = {"pids": run.pids(), "metrics": dict(record.metrics), "step": run.step}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
