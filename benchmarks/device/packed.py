"""Trials an hour when several processes share one device."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

import torch

from benchmarks.device.setting import NETS, Setting
from isoflop.config import TrialConfig
from isoflop.families import Scalar
from isoflop.trial import run_trial

TRIALS = 2
"""That each process trains while it is measured."""
STEPS = 5
"""Lengths of a measurement that a trial takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """So many processes side by side."""

    net: str
    processes: int
    trials_per_hour: float


def packs(setting: Setting) -> Iterator[Packed]:
    """Every small net with every number of processes; without a GPU the first one."""
    small = [net for net in setting.nets if net in NETS]
    for net in small if setting.device.type == "cuda" else small[:1]:
        images = float(STEPS * setting.steps * setting.batch)
        length: dict[str, Scalar] = {"train.axis": "images", "train.horizon": images}
        config = setting.config(net, **length)
        for count in setting.processes:
            seconds = _seconds(setting, config, count)
            yield Packed(net=net, processes=count, trials_per_hour=3600 * count * TRIALS / seconds)


def _seconds(setting: Setting, config: TrialConfig, count: int) -> float:
    """From when all processes are warm until the last has trained its trials."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Barrier(count + 1), context.Barrier(count + 1)
    processes = [
        context.Process(target=_train, args=(setting, config, seed, ready, done), daemon=True) for seed in range(count)
    ]
    for process in processes:
        process.start()
    try:
        ready.wait(timeout=300)
        began = time.perf_counter()
        done.wait(timeout=3600)
        return time.perf_counter() - began
    finally:
        for process in processes:
            process.kill()
            process.join()


def _train(setting: Setting, config: TrialConfig, seed: int, ready: Barrier, done: Barrier) -> None:
    """What each process does: one training that does not count, then those that do."""
    warm = setting.fit(config, seed)
    warm.advance(3)
    del warm
    if setting.device.type == "cuda":
        torch.cuda.empty_cache()
    ready.wait()
    for number in range(TRIALS):
        list(run_trial(config, seed + 1000 * number, data=setting.data, device=setting.device, flops=1.0))
    done.wait()
