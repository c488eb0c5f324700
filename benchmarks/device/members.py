"""Fused trainings against separate ones: speed, ten steps in double precision, and final accuracies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.device.setting import Setting
from isoflop.config import AugmentConfig, TrialConfig
from isoflop.families import Scalar
from isoflop.fused import run_fused
from isoflop.models import Net
from isoflop.records import Record
from isoflop.training.fit import Fit
from isoflop.training.fused.choice import measure
from isoflop.training.fused.fit import Fused
from isoflop.training.objective import Supervised
from isoflop.training.split import Split
from isoflop.training.task import Classification
from isoflop.trial import run_trial

STEPS = 10
TOLERANCE = 1e-9
"""How far weights may be apart after so many steps in double precision."""
SEEDS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """So many trainings of one net both ways, in steps of a member a second."""

    net: str
    members: int
    separate: float
    fused: float
    better: str

    @property
    def gain(self) -> float:
        """How many times as fast the fused program is."""
        return self.fused / self.separate


@dataclass(frozen=True, kw_only=True, slots=True)
class Equality:
    """How far weights and losses of fused and separate trainings are apart in double precision."""

    net: str
    members: int
    apart: float

    @property
    def good(self) -> bool:
        """Whether by rounding alone."""
        return self.apart <= TOLERANCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """Accuracies on validation of the same seeds, fused and separate."""

    net: str
    fused: Sequence[float]
    separate: Sequence[float]

    @property
    def errors(self) -> float:
        """How many standard errors the two means are apart."""
        gap = abs(float(np.mean(self.fused)) - float(np.mean(self.separate)))
        error = math.sqrt(sum(float(np.var(values, ddof=1)) / len(values) for values in (self.fused, self.separate)))
        return gap / error if error else (0.0 if gap == 0 else math.inf)

    @property
    def good(self) -> bool:
        """Whether the means are alike."""
        return self.errors <= 4


class Doubles:
    """A split whose images come in double precision."""

    def __init__(self, split: Split) -> None:
        self._split = split

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The same batch."""
        for images, targets in self._split.pieces(step, size=size, piece=piece, seed=seed, config=config):
            yield images.double(), targets

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once."""
        for images, targets in self._split.all(size):
            yield images.double(), targets


def speeds(setting: Setting) -> Iterator[Speed]:
    """Every net with every number of members."""
    for net in setting.nets:
        config = setting.config(net)
        for count in setting.members:
            seeds = range(count)
            alone = [setting.fit(config, seed) for seed in seeds]
            found = measure(alone, _fused(setting, config, count), steps=setting.steps)
            yield Speed(net=net, members=count, separate=found.separate, fused=found.fused, better=found.better)


def equalities(setting: Setting) -> Iterator[Equality]:
    """Every net with the most members."""
    count = max(setting.members)
    for net in setting.nets:
        plain: dict[str, Scalar] = {"train.batch_size": 16, "schedule.warmup": 0.0}
        configs = [setting.config(net, **plain, **{"optim.lr": 0.01 / (1 + n)}) for n in range(count)]
        yield Equality(net=net, members=count, apart=_apart(setting, configs))


def distributions(setting: Setting) -> Iterator[Distribution]:
    """The first net after a short training."""
    net = next(iter(setting.nets))
    short: dict[str, Scalar] = {"train.axis": "images", "train.horizon": 60 * setting.batch}
    config, seeds = setting.config(net, **short), range(SEEDS)
    *_, last = run_fused([config] * SEEDS, list(seeds), data=setting.data, device=setting.device)
    alone = [list(run_trial(config, seed, data=setting.data, device=setting.device))[-1] for seed in seeds]
    fused = [said.metrics["val_accuracy"] for said in last if isinstance(said, Record)]
    yield Distribution(net=net, fused=fused, separate=[record.metrics["val_accuracy"] for record in alone])


def _fused(setting: Setting, config: TrialConfig, count: int) -> Fused:
    """As many seeds of a training as one program, be it of one member alone."""
    nets, task = [setting.net(config, seed) for seed in range(count)], Classification(config.loss)
    return Fused(
        nets,
        task,
        objective=Supervised(task),
        trains=[setting.split("train", config, net) for net in nets],
        val=setting.split("val", config, nets[0]),
        configs=[config] * count,
        length=setting.length(config),
        seeds=range(count),
    )


def _apart(setting: Setting, configs: Sequence[TrialConfig]) -> float:
    seeds = range(len(configs))
    length = setting.length(configs[0])
    task = Classification(configs[0].loss)
    objective = Supervised(task)

    def nets() -> list[Net]:
        return [setting.net(config, seed, torch.float64) for config, seed in zip(configs, seeds, strict=True)]

    first, *_ = separate = nets()
    val = Doubles(setting.split("val", configs[0], first))
    splits = [Doubles(setting.split("train", config, first)) for config in configs]
    alone = [
        Fit(net, task, objective=objective, train=split, val=val, config=config, length=length, seed=seed)
        for net, split, config, seed in zip(separate, splits, configs, seeds, strict=True)
    ]
    fused = Fused(
        nets(), task, objective=objective, trains=splits, val=val, configs=configs, length=length, seeds=seeds
    )
    pairs = zip(fused.advance(STEPS), [fit.advance(STEPS) for fit in alone], strict=True)
    worst = max(abs(one - other) for one, other in pairs)
    (written,) = [setting.net(configs[0], 0, torch.float64)]
    for place, fit in enumerate(alone):
        fused.stack.write(place, written)
        for found, expected in zip(written.state_dict().values(), fit.net.state_dict().values(), strict=True):
            worst = max(worst, float((found.double() - expected.double()).abs().max()))
    return worst
