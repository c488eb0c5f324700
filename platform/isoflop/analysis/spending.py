"""What trainings cost: FLOPs, device-seconds, energy and memory of a trial, and sums of them by family and state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from isoflop.records import Trial


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What some trainings took. What was done again after an interruption is counted once, as it is recorded."""

    trials: int = 0
    """Trainings that a worker took."""
    flops: float = 0.0
    """Training FLOPs."""
    seconds: float = 0.0
    """Wall time on their workers, of trainings side by side counted for each."""
    device_seconds: float = 0.0
    """Seconds times the devices that share a trial."""
    images: int = 0
    """Images that were trained on, each as often as it was seen."""
    memory: float = field(default=0.0)
    """Bytes at the highest, of the one that took most."""
    joules_cpu: float | None = None
    """Of processors and their memory, as far as it was told; none where it was of no training."""
    joules_gpu: float | None = None
    """Of GPUs, likewise."""
    metered: int = 0
    """Trainings of which some energy was told at every report."""

    @property
    def joules(self) -> float | None:
        """What was told, together."""
        return _sum(self.joules_cpu, self.joules_gpu)

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """The cost of one trial up to its latest record; one that no worker took costs nothing."""
        last = trial.last
        if last is None:
            return cls(trials=int(trial.tried))
        seconds = sum(record.measured.get("seconds", 0.0) for record in trial.records)
        return cls(
            trials=1,
            flops=last.flops,
            seconds=seconds,
            device_seconds=seconds * int(trial.config.get("train.devices", 1) or 1),
            images=last.images,
            memory=max(record.measured.get("memory", 0.0) for record in trial.records),
            joules_cpu=_told(trial, "joules_cpu"),
            joules_gpu=_told(trial, "joules_gpu"),
            metered=int(all({"joules_cpu", "joules_gpu"} & record.measured.keys() for record in trial.records)),
        )

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(
            trials=self.trials + other.trials,
            flops=self.flops + other.flops,
            seconds=self.seconds + other.seconds,
            device_seconds=self.device_seconds + other.device_seconds,
            images=self.images + other.images,
            memory=max(self.memory, other.memory),
            joules_cpu=_sum(self.joules_cpu, other.joules_cpu),
            joules_gpu=_sum(self.joules_gpu, other.joules_gpu),
            metered=self.metered + other.metered,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def spent(trials: Iterable[Trial]) -> Cost:
    """What trials cost together."""
    return sum(map(Cost.of, trials), Cost())


def by_family(trials: Iterable[Trial]) -> dict[str, Cost]:
    """What the trials of each family cost, the dearest first."""
    return _grouped(trials, lambda trial: str(trial.config.get("model.family", "")))


def by_state(trials: Iterable[Trial]) -> dict[str, Cost]:
    """What the trials in each state cost, the dearest first: what went into trials that were cut, and what failed."""
    return _grouped(trials, lambda trial: str(trial.state))


def _told(trial: Trial, name: str) -> float | None:
    """What was measured of a trial, over the reports that have it; none where none has."""
    found = [record.measured[name] for record in trial.records if name in record.measured]
    return sum(found) if found else None


def _sum(one: float | None, other: float | None) -> float | None:
    """Of what is known."""
    return one if other is None else other if one is None else one + other


def _grouped(trials: Iterable[Trial], group: Callable[[Trial], str]) -> dict[str, Cost]:
    found: dict[str, Cost] = {}
    for trial in trials:
        found[group(trial)] = found.get(group(trial), Cost()) + Cost.of(trial)
    return dict(sorted(found.items(), key=lambda item: (-item[1].flops, item[0])))
