"""Members of one fused program as jobs of their own: the first trains for all, the others repeat what it said of them.

A member's numbers depend on how many there are and on its own place, never on who trains them. So a fellow whose
program was lost, or stands on another machine, trains alone and comes to the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from isoflop.config import TrialConfig
from isoflop.disk import draft
from isoflop.errors import DivergedError, SpecError, TrialError
from isoflop.fused import FusedRun, faster, members_of, run_fused
from isoflop.records import Artifact, Job, Record
from isoflop.training.fused.choice import Speeds
from isoflop.training.fused.fit import Said

FILE = "told.json"


@dataclass(kw_only=True)
class Told:
    """What the first member of a program said of another, in the other's folder."""

    path: Path
    owner: str
    """Whose it is: configuration and seed."""
    records: list[Record] = field(default_factory=list)
    diverged: tuple[int, str] | None = None
    """At which step after the last record, and by what."""
    artifacts: list[Artifact] | None = None
    """What it left; none while it is under way."""

    @classmethod
    def of(cls, job: Job) -> Self:
        """What was told of a job, nothing where that stands nowhere or is of another one."""
        path, owner = Path(job.checkpoints) / FILE, f"{sorted(job.config.items())}/{job.seed}"
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls(path=path, owner=owner)
        if tree["owner"] != owner:
            return cls(path=path, owner=owner)
        return cls(
            path=path,
            owner=owner,
            records=[Record.from_dict(one) for one in tree["records"]],
            diverged=tuple(tree["diverged"]) if tree["diverged"] else None,
            artifacts=None if tree["artifacts"] is None else [Artifact(**one) for one in tree["artifacts"]],
        )

    @property
    def whole(self) -> bool:
        """Whether it is told to the end."""
        return self.artifacts is not None or self.diverged is not None

    def add(self, report: int, said: Said) -> None:
        """What a member says at a report; what stood of this report and later ones goes."""
        if self.diverged is not None:
            return
        del self.records[report - 1 :]
        if isinstance(said, Record):
            self.records.append(said)
        else:
            self.diverged = (said.step, said.what)

    def write(self) -> None:
        """Onto the disk, whole or not at all. Raises `StateError` where that refuses."""
        tree: dict[str, Any] = {
            "owner": self.owner,
            "records": [record.to_dict() for record in self.records],
            "diverged": self.diverged,
            "artifacts": None if self.artifacts is None else [asdict(one) for one in self.artifacts],
        }
        with draft(self.path.parent, FILE) as beside:
            beside.path.write_text(json.dumps(tree), encoding="utf-8")
            beside.publish(self.path)


class Leader(Iterator[Record]):
    """The first member's training, which is that of all. What it says of the others stands in their folders."""

    def __init__(self, job: Job) -> None:
        jobs = (job, *job.fellows)
        self.job, self.told = job, [Told.of(fellow) for fellow in job.fellows]
        self.run: FusedRun = run_fused(
            [TrialConfig.from_params(one.config) for one in jobs],
            [one.seed for one in jobs],
            data=Path(job.data),
            checkpoints=Path(job.checkpoints),
            weights=_files(job.weights),
            flops=job.flops,
            asked=job.asked,
        )

    @property
    def step(self) -> int:
        """Steps done."""
        return self.run.step

    def __next__(self) -> Record:
        """Train all up to the next report. Raises `DivergedError` where the first one does."""
        mine, *others = next(self.run)
        report = self.run.fit.length.reports.index(self.step) + 1
        for told, said in zip(self.told, others, strict=True):
            told.add(report, said)
            told.write()
        if isinstance(mine, DivergedError):
            raise mine
        return mine

    def save(self, report: int) -> Path:
        """Write a checkpoint of all after a report."""
        return self.run.save(report)

    def finish(self, folder: Path, *, weights: bool = True) -> Sequence[Artifact]:
        """Leave what each member leaves in its own folder."""
        folders = [folder, *(Path(fellow.artifacts or folder) for fellow in self.job.fellows)]
        mine, *others = self.run.finish(folders, weights=weights)
        for told, artifacts in zip(self.told, others, strict=True):
            told.artifacts = None if told.diverged else [*artifacts]
            told.write()
        return mine


class Repeated(Iterator[Record]):
    """A member's training that another one did: its records again."""

    def __init__(self, told: Told) -> None:
        self.told, self._left = told, iter(told.records)
        self.step = 0

    def __next__(self) -> Record:
        """What was said at the next report."""
        record = next(self._left, None)
        if record is None:
            assert self.told.diverged is not None, "whoever repeats has seen that all was told"
            raise DivergedError(*self.told.diverged)
        self.step = record.step
        return record

    def save(self, report: int) -> Path:
        """Nothing to save: all of it stands."""
        del report
        return self.told.path

    def finish(self, folder: Path, *, weights: bool = True) -> Sequence[Artifact]:
        """What was left, which stands in the folder."""
        del folder, weights
        return self.told.artifacts or []


def program(
    config: TrialConfig, seeds: Sequence[int], *, data: Path, measured: Callable[..., Speeds] = faster
) -> tuple[TrialConfig, ...]:
    """A configuration as the members of one program, a seed each, where that is measured to be faster on this device.

    Empty where it is not, and where the configuration cannot be fused.
    """
    try:
        members = members_of([config] * len(seeds), seeds)
        speeds = measured(config, seeds, data=data)
    except (SpecError, TrialError):
        return ()
    return members if speeds.better == "fused" else ()


def _files(weights: Mapping[str, str]) -> dict[str, Path]:
    return {name: Path(file) for name, file in weights.items()}
