"""How long a forward pass takes, measured in this process. Nothing else should run beside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isoflop.config import ModelConfig
from isoflop.models.net import LAYOUT, Net
from isoflop.models.registry import build
from isoflop.provenance import hardware

WINDOW = 5
"""Passes whose median is compared with that of as many before."""
STABLE = 0.05
"""Share by which two such medians may differ when the machine is warm."""
WARM = 20
"""Windows after which it is taken for warm whatever they say, and"""
WARM_SECONDS = 10.0
"""seconds, so that a large model does not warm up for ever."""

STEADY = 1.0
"""Seconds to measure for where the median is kept: what disturbs a machine for a tenth would decide a shorter one."""

LARGEST_BATCH = 256
FAIR = 500.0
"""Milliseconds that a batch may take whose throughput is measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Milliseconds of a forward pass of one batch."""

    milliseconds: float
    """The median."""
    p99: float
    """What 99 of 100 passes stay below; of fewer than 100 passes, near the slowest."""
    spread: float
    """The interquartile range."""
    hardware: str
    batch: int
    passes: int
    threads: int
    """CPU threads."""

    @property
    def throughput(self) -> float:
        """Images a second, by the median."""
        return 1e3 * self.batch / self.milliseconds

    def __str__(self) -> str:
        """In a line."""
        return f"latency {self.milliseconds:.4g} ms +- {self.spread:.2g} for {self.batch} images on {self.hardware}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the median as `latency`."""
        names = ("p99", "spread", "throughput", "hardware", "batch", "passes", "threads")
        return {"latency": self.milliseconds} | {name: getattr(self, name) for name in names}


def measure_latency(
    model: ModelConfig,
    *,
    image: tuple[int, int, int],
    classes: int,
    batch: int = 1,
    passes: int = 30,
    lasting: float = 0.0,
    seconds: float = math.inf,
    threads: int = 1,
    device: torch.device | None = None,
) -> Latency:
    """Time a model for images stored as (channels, height, width), in the layout that trainings use.

    The images are at the model's resolution already, and the weights are drawn: values do not change the time. Passes
    go on for `lasting` seconds, and until there are so many; after `seconds` no further pass begins. By default it runs
    on the first GPU, else on the CPU. Raises `SpecError` for a shape that cannot be.
    """
    place = device or fastest()
    net = build(model, image=image, classes=classes, seed=0).to(place).to(memory_format=LAYOUT).eval()
    side = net.shape.resolution
    images = torch.zeros(batch, image[0], side, side, device=place).contiguous(memory_format=LAYOUT)
    timed = _on_gpu if place.type == "cuda" else _on_cpu
    with _threads(threads), torch.inference_mode():
        _warm_up(lambda: timed(net, images))
        times = list(_repeated(lambda: timed(net, images), passes, lasting, seconds))
    low, median, high, slow = np.percentile(times, (25, 50, 75, 99))
    return Latency(
        milliseconds=float(median),
        p99=float(slow),
        spread=float(high - low),
        hardware=torch.cuda.get_device_name(place) if place.type == "cuda" else hardware(),
        batch=batch,
        passes=len(times),
        threads=threads,
    )


def fair_batch(single: Latency) -> int:
    """Images at once to measure throughput with: a power of two that one by one would take half a second at most."""
    fitting = FAIR / single.milliseconds * single.batch
    return int(min(LARGEST_BATCH, 2 ** math.floor(math.log2(max(1.0, fitting)))))


def fastest() -> torch.device:
    """The first GPU that this process may use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _repeated(timed: Callable[[], float], passes: int, lasting: float, seconds: float) -> Iterator[float]:
    """Times of so many passes or more, at least one, or of those that began before the time was up."""
    began = time.perf_counter()
    for done in count():
        passed = time.perf_counter() - began
        if done and (passed > seconds or (done >= passes and passed >= lasting)):
            return
        yield timed()


def _warm_up(timed: Callable[[], float]) -> None:
    """Run until two windows in a row take as long."""
    began, before = time.perf_counter(), float("inf")
    for _ in range(WARM):
        median = float(np.median([timed() for _ in range(WINDOW)]))
        if abs(median - before) <= STABLE * before or time.perf_counter() - began > WARM_SECONDS:
            return
        before = median


def _on_cpu(net: Net, images: Tensor) -> float:
    """Milliseconds of a pass."""
    began = time.perf_counter()
    net(images)
    return (time.perf_counter() - began) * 1e3


def _on_gpu(net: Net, images: Tensor) -> float:
    """Milliseconds of a pass, from event to event on the device."""
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    began.record()
    net(images)
    ended.record()
    ended.synchronize()
    return float(began.elapsed_time(ended))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Set torch's number of CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
