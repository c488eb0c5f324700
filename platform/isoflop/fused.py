"""Several seeds or learning rates of one shape as one program."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch

from isoflop.config import FusedConfig, TrialConfig
from isoflop.errors import Fault, SpecError
from isoflop.length import Length
from isoflop.models.latency import fastest
from isoflop.models.net import LAYOUT
from isoflop.records import Artifact, Record
from isoflop.seeds import derive
from isoflop.trained import leave
from isoflop.training.fit import Fit
from isoflop.training.fused.choice import Speeds, measure
from isoflop.training.fused.fit import Fused, Said
from isoflop.trial import Given, Making, TrialRun


def members_of(configs: Sequence[TrialConfig], seeds: Sequence[int]) -> tuple[TrialConfig, ...]:
    """The configurations as members of one program: what stands in their records, and repeats them one by one.

    Raises `SpecError` where they cannot be fused, one line each.
    """
    if len(configs) != len(seeds) or len(configs) < 2:
        what = f"{len(configs)} configurations and {len(seeds)} seeds"
        raise SpecError(Fault("fused", what, "give two or more configurations, and a seed for each"))
    shared = derive(0, "fused", *seeds)
    marks = [FusedConfig(members=len(seeds), place=place, seed=shared) for place in range(len(seeds))]
    pairs = zip(configs, marks, strict=True)
    return tuple(
        TrialConfig.from_params({**config.params(), **{f"fused.{key}": value for key, value in mark}})
        for config, mark in pairs
    )


def run_fused(
    configs: Sequence[TrialConfig],
    seeds: Sequence[int],
    *,
    data: Path | None = None,
    checkpoints: Path | None = None,
    weights: Mapping[str, Path] | None = None,
    device: torch.device | None = None,
    flops: float | None = None,
    asked: Collection[str] = (),
) -> FusedRun:
    """Train members of one program: an iterator of what all of them say at each report (`run_trial` says the rest).

    `FusedRun.configs` are the configurations that the records belong to: they say that the training was fused, and
    `run_trial` repeats a member from its own configuration and seed. A member that diverges says `DivergedError`.
    Raises `SpecError` where the configurations cannot be fused, `TrialError` where the net cannot.
    """
    given = Given(data=data, checkpoints=checkpoints, weights=weights or {}, flops=flops, asked=asked)
    return FusedRun(configs, seeds, given, device=device)


class FusedRun(Making, Iterator[tuple[Said, ...]]):
    """A fused program under way."""

    fit: Fused

    def __init__(
        self, configs: Sequence[TrialConfig], seeds: Sequence[int], given: Given, *, device: torch.device | None = None
    ) -> None:
        self.configs, self.seeds = members_of(configs, seeds), tuple(seeds)
        super().__init__(self.configs[0], self.seeds[0], given, device=device)
        self._said = iter(self.fit)

    def __iter__(self) -> Self:
        """Itself: the reports that are still to come."""
        return self

    def __next__(self) -> tuple[Said, ...]:
        """Train up to the next report. Raises `ExhaustedError` where memory runs out."""
        with self._spared():
            said = next(self._said)
        memory = self._meter.peak()
        return tuple(
            replace(one, measured={**one.measured, "memory": memory}) if isinstance(one, Record) else one
            for one in said
        )

    def finish(self, folders: Sequence[Path], *, weights: bool = True) -> Sequence[Sequence[Artifact]]:
        """Leave in a folder for each member its weights, where wanted, and its logits on validation; diverged, nothing.

        The logits are those that the last report was made of. Raises as `TrialRun.finish` does.
        """
        return [self._leave(place, folder, weights=weights) for place, folder in enumerate(folders)]

    def _leave(self, place: int, folder: Path, *, weights: bool) -> Sequence[Artifact]:
        if place in self.fit.diverged:
            return []
        with self._spared():
            answers = self.fit.answered(place)
        self.fit.stack.write(place, self.net)
        config, seed = self.configs[place], self.seeds[place]
        return leave(folder, self.net, answers, config=config, seed=seed, prepared=self.prepared, weights=weights)

    def _make(self, length: Length) -> None:
        pairs = zip(self.configs, self.seeds, strict=True)
        nets = [self._begun(config, seed).to(self.device).to(memory_format=LAYOUT) for config, seed in pairs]
        self.net = nets[0]
        self.fit = self._fused(nets, self.configs, self.seeds, length)

    @property
    def _owner(self) -> str:
        texts = [config.model_dump_json() for config in self.configs]
        return f"{'/'.join(texts)}/{self.seeds}"


def faster(
    config: TrialConfig,
    seeds: Sequence[int],
    *,
    data: Path | None = None,
    device: torch.device | None = None,
    steps: int = 20,
) -> Speeds:
    """Measure a configuration's seeds fused against one after the other, on this device, over so many steps."""
    found = device or fastest()
    runs = [TrialRun(config, seed, Given(data=data), device=found) for seed in seeds]
    alone = [run.fit for run in runs if isinstance(run.fit, Fit)]
    fused = run_fused([config] * len(seeds), seeds, data=data, device=found).fit
    return measure(alone, fused, steps=steps)
