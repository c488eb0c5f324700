"""Joules that trainings take, where the machine tells them.

Processors: RAPL's counters of whole packages and their memory, as Linux has them below /sys/class/powercap for Intel
and AMD. They count all that runs there, so a training is given the share of the CPU time that it took of all that was
taken meanwhile, as by Scaphandre: what idles is shared by those who work, and shares sum to the whole. GPUs: NVML's
counter of the whole device, by `pynvml` where that is installed, in equal parts for the processes that compute on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Protocol, Self

import psutil

POWERCAP = Path("/sys/class/powercap")
EVERY = 30.0
"""Seconds between two looks, shorter than counters take to come round: one of AMD's holds 65.5 kJ, 2 kW for so long."""
WHOLE = ("package", "dram")
"""Beginnings of the names of domains that no other one holds; core and uncore are parts of packages, psys has both."""
BUSY = ("user", "nice", "system", "irq", "softirq")
CPU, GPU = "joules_cpu", "joules_gpu"


@dataclass(frozen=True, slots=True)
class Domain:
    """One of RAPL's counters."""

    folder: Path
    name: str
    """As `package-0`."""
    limit: float
    """Joules at which it begins anew."""

    @property
    def file(self) -> Path:
        """Where it stands."""
        return self.folder / "energy_uj"

    def joules(self) -> float:
        """What it counts. Raises `OSError` where it may not be read."""
        return int(self.file.read_text()) / 1e6

    def between(self, before: float, now: float) -> float:
        """Joules between two looks, it having come round once at most."""
        return now - before if now >= before else now - before + self.limit


def domains(place: Path = POWERCAP) -> list[Domain]:
    """The counters that together count processors and memory once, whether they may be read or not."""
    found = []
    for folder in sorted(place.glob("intel-rapl:*")):  # AMD's too; intel-rapl-mmio counts the same again
        with suppress(OSError, ValueError):
            name = (folder / "name").read_text().strip()
            if name.startswith(WHOLE):
                found.append(Domain(folder, name, int((folder / "max_energy_range_uj").read_text()) / 1e6))
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """What counters showed at one time."""

    joules: tuple[float, ...]
    own: float = 1.0
    """CPU seconds that the training took so far."""
    busy: float = 1.0
    """CPU seconds that everything on the machine took so far."""
    sharing: tuple[int, ...] = ()
    """Processes that compute on each device."""


class Source(Protocol):
    """Counters of one kind."""

    def look(self) -> Look:
        """How they stand. Raises `OSError` where they cannot be read."""
        ...

    def between(self, before: Look, now: Look) -> float:
        """A training's joules between two looks."""
        ...


@dataclass(frozen=True)
class Processors:
    """RAPL's counters, and whose work is looked at."""

    counters: Sequence[Domain]
    pids: Callable[[], Sequence[int]]
    """The processes of a training."""

    def look(self) -> Look:
        """How they stand."""
        joules = tuple(one.joules() for one in self.counters)
        return Look(joules, own=sum(map(_seconds, self.pids())), busy=_busy())

    def between(self, before: Look, now: Look) -> float:
        """The training's share of what was counted, by its CPU time and that of all."""
        pairs = zip(self.counters, before.joules, now.joules, strict=True)
        own = max(0.0, now.own - before.own)
        busy = max(own, now.busy - before.busy)
        return sum(one.between(*pair) for one, *pair in pairs) * (own / busy if busy else 0.0)


@dataclass(frozen=True)
class Devices:
    """NVML's counters of GPUs."""

    nvml: Any
    handles: Sequence[Any]

    def look(self) -> Look:
        """How they stand."""
        try:
            joules = tuple(self.nvml.nvmlDeviceGetTotalEnergyConsumption(one) / 1e3 for one in self.handles)
            sharing = tuple(len(self.nvml.nvmlDeviceGetComputeRunningProcesses(one)) for one in self.handles)
        except self.nvml.NVMLError as error:
            raise OSError(str(error)) from error
        return Look(joules, sharing=sharing)

    def between(self, before: Look, now: Look) -> float:
        """What was counted, in equal parts for those that compute there now."""
        triples = zip(before.joules, now.joules, now.sharing, strict=True)
        return sum((late - early) / max(1, sharing) for early, late, sharing in triples)


class Meter:
    """A context that counts a training's joules from its beginning to its end.

    What comes round between two looks would be missed, so a thread looks now and then. A source that fails on the way
    says nothing.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = dict(sources)
        self._looks: dict[str, Look] = {}
        self._sums: dict[str, float] = {}
        self._over = Event()
        self._watch: Thread | None = None

    def __enter__(self) -> Self:
        """Begin at 0."""
        self._looks, self._sums, self._over = {}, dict.fromkeys(self.sources, 0.0), Event()
        self.take()
        if self.sources:
            self._watch = Thread(target=self._look_on, name="energy", daemon=True)
            self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Look for the last time."""
        self._over.set()
        if self._watch is not None:
            self._watch.join()
            self._watch = None
        self.take()

    def take(self) -> None:
        """Add what was counted since the last look."""
        for name in [*self._sums]:
            try:
                now = self.sources[name].look()
            except (OSError, ValueError):
                del self._sums[name]
                continue
            if name in self._looks:
                self._sums[name] += self.sources[name].between(self._looks[name], now)
            self._looks[name] = now

    def joules(self) -> dict[str, float]:
        """Joules of processors and of GPUs, as far as they are told."""
        return dict(self._sums)

    def _look_on(self) -> None:
        while not self._over.wait(EVERY):
            self.take()


def meter(pids: Callable[[], Sequence[int]], *, gpus: int, place: Path = POWERCAP) -> Meter:
    """A meter of the processes of a training that has so many of the GPUs that this process may use."""
    sources: dict[str, Source] = {}
    if counters := domains(place):
        sources[CPU] = Processors(counters, pids)
    if gpus and (nvml := begun()) is not None and len(handles := visible(nvml)) >= gpus:
        sources[GPU] = Devices(nvml, handles[:gpus])
    return Meter(sources)


@cache
def begun() -> Any:
    """NVML, ready to be asked; none where `pynvml` is not installed or there is no driver."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def visible(nvml: Any) -> list[Any]:
    """NVML's handles of the GPUs that this process may use, by their places on the bus; none where one is not known."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        names = map(str, range(nvml.nvmlDeviceGetCount())) if named is None else filter(None, named.split(","))
        return [_handle(nvml, name.strip()) for name in names]
    except nvml.NVMLError:
        return []


def told(place: Path = POWERCAP) -> tuple[str, str]:
    """What of this machine's energy can be read, and a remedy for what cannot; empty where there is none."""
    counters = domains(place)
    if not counters:
        found, remedy = f"not of processors: there is no RAPL in {place}", ""
    elif locked := [one for one in counters if not os.access(one.file, os.R_OK)]:
        found = "not of processors: their counters are for root alone"
        remedy = f"let them be read: sudo chmod a+r {' '.join(str(one.file) for one in locked)}"
    else:
        found, remedy = f"of processors by RAPL ({', '.join(one.name for one in counters)})", ""
    nvml = begun()
    gpus = "not of GPUs: pynvml or NVIDIA's driver is missing" if nvml is None else "of GPUs by NVML"
    return f"{found}; {gpus}", remedy


def _handle(nvml: Any, name: str) -> Any:
    return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)


def _seconds(pid: int) -> float:
    """CPU seconds of a process; 0 of one that is gone."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def _busy() -> float:
    """CPU seconds that all processors have worked."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, name, 0.0) for name in BUSY))
