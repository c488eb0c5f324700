"""What a training yields and what a trial is: plain frozen values, with no link to where they are stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from isoflop.families import Scalar
from isoflop.tasks import USUAL, Kind

if TYPE_CHECKING:  # so that records stay light to import
    import numpy as np
    import numpy.typing as npt


COSTS = frozenset({"flops", "parameters", "memory", "latency"})
"""What a model costs, as opposed to what a training earns."""


CONTROL = "control"
"""The source of trials of a search's control arm."""


class State(StrEnum):
    """Where a trial stands."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    INTERRUPTED = "INTERRUPTED"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"
    DUPLICATE = "DUPLICATE"
    KILLED = "KILLED"

    @property
    def final(self) -> bool:
        """Whether a trial in this state is over."""
        return self not in OPEN

    @property
    def free(self) -> bool:
        """Whether a trial in this state took nothing from the budget."""
        return self in FREE


OPEN = frozenset({State.WAITING, State.RUNNING, State.INTERRUPTED})
FREE = frozenset({State.INFEASIBLE, State.DUPLICATE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What a training yields at a report."""

    report: int
    """1, 2, ... up to the configuration's `train.reports`, the horizon."""
    step: int
    epoch: float
    images: int
    flops: float
    """Training FLOPs spent so far: 3 times the forward pass of every image seen, and what else steps do (`length`).
    Those of a training that was stopped early no longer grow, as its steps and images do not."""
    fidelity: float
    """Where the report stands on the study's axis."""
    metrics: Mapping[str, float]
    """Deterministic: equal configuration, seed and threads give equal values."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Not deterministic: `seconds` since the last report, `images_per_second`, `memory` in bytes, and where the machine
    tells them `joules_cpu` and `joules_gpu` since the last report (`energy.py`). `stopped` is 1 where no step was
    taken, for the training was stopped early and repeats its best report."""

    observed: Mapping[str, float] = field(default_factory=dict)
    """What the last step showed of the net, where it was looked at: gradients, dead units, activations by group."""

    @property
    def finite(self) -> bool:
        """Whether every metric is a finite number."""
        return all(math.isfinite(value) for value in self.metrics.values())

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The record that `to_dict` wrote."""
        return cls(**values)


@dataclass(frozen=True, order=True, kw_only=True, slots=True)
class Key:
    """Which training: a trial's number and its replicate (one seed of it)."""

    trial: int
    replicate: int = 0

    def __str__(self) -> str:
        """`7` for the only replicate of trial 7, `7.2` for its third."""
        return f"{self.trial}.{self.replicate}" if self.replicate else str(self.trial)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One configuration tried in a study, as far as the journal knows."""

    number: int
    replicate: int = 0
    state: State = State.WAITING
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """What the space sampled, by dotted key."""
    config: Mapping[str, Scalar] = field(default_factory=dict)
    """The whole configuration, by dotted key."""
    seed: int = 0
    fingerprint: str = ""
    proposed: str = ""
    """The fingerprint that it was proposed with: another one where it ran out of memory since."""
    parameters: int = 0
    flops: float = 0.0
    """FLOPs of one image's forward pass (multiply-adds x 2)."""
    memory: int = 0
    """Bytes that its training is estimated to take."""
    latency: float | None = None
    """Milliseconds of a forward pass of a batch, none where it was not measured."""
    records: tuple[Record, ...] = ()
    reason: str = ""
    """Why it was stopped, is infeasible or failed."""
    source: str = ""
    """What suggested it: `default`, `enqueued`, `control`, or the sampler's name; of a finalist, the trial it retrains;
    of a scaling study, what it is trained for."""
    forecast: Mapping[str, float] = field(default_factory=dict)
    """What was predicted of its result before it was trained, by name."""
    tried: bool = False
    """Whether a worker ever took it."""
    attempt: int = 0
    """How often it began again with a smaller micro-batch, having run out of memory."""
    stalled: int = 0
    """How often in a row its worker was lost without a report in between."""

    @property
    def key(self) -> Key:
        """Its number and replicate."""
        return Key(trial=self.number, replicate=self.replicate)

    @property
    def reports(self) -> int:
        """How many reports it has made."""
        return len(self.records)

    @property
    def last(self) -> Record | None:
        """Its latest record."""
        return self.records[-1] if self.records else None

    @property
    def free(self) -> bool:
        """Whether it took nothing from the budget: settled before a worker took it."""
        return self.state.free and not self.tried

    def value(self, metric: str) -> float:
        """A metric of the latest record, or what the model costs; NaN where there is none."""
        return self.value_at(self.reports, metric)

    def value_at(self, report: int, metric: str) -> float:
        """A metric of a report, or what the model costs; NaN where there is none."""
        if metric in COSTS:
            cost = getattr(self, metric)
            return math.nan if cost is None else float(cost)
        return float(self.records[report - 1].metrics.get(metric, math.nan)) if report else math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a finalist earned over its replicates: one value a seed for each metric."""

    run: str
    """`STUDY/NUMBER`."""
    study: str
    trial: int
    source: str
    """The trial that it retrains, as `STUDY/NUMBER`."""
    family: str
    shape: str
    parameters: int
    flops: float
    data_digest: str
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]
    """What was earned on `val_` and `test_`, by metric, in the order of `seeds`."""
    task: Kind = USUAL
    pick: str = USUAL.first
    """The metric on validation by which its study picks."""
    lost: int = 0
    """Replicates that ended otherwise than COMPLETE: none of their numbers is here."""
    fused: bool = False
    """Whether its seeds were trained as one program: another row than apart, which comes back fused alone."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Trials by state of the search it comes from."""
    hits: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict, compare=False, repr=False)
    """Which images of a split, `val` or `test`, each seed answered wholly rightly, (seeds, images), where stored."""
    verdicts: tuple[Mapping[str, Any] | None, ...] = ()
    """What came last of repeating the training of each seed, none where nobody did."""
    faults: tuple[str, ...] = ()
    """What of it could not be read."""
    searched: float | None = None
    """What the trial that it retrains scored in its search by `pick`: it was picked for that."""
    luck: float | None = None
    """How much of the best score of that search is luck, where it is known (`optimism`)."""

    @property
    def search(self) -> str:
        """The study that the trial it retrains stands in."""
        return self.source.rpartition("/")[0] or self.study


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A training as a worker is given it: plain values and paths on the machine that runs it."""

    study: str
    key: Key
    config: Mapping[str, Scalar]
    seed: int
    data: str
    """Folder of the prepared data set."""
    checkpoints: str
    weights: Mapping[str, str] = field(default_factory=dict)
    """Files of the weights that its configuration names, by their names."""
    flops: float | None = None
    """FLOPs of one image's forward pass; counted again where they are not given."""
    artifacts: str | None = None
    """Folder for weights, predictions and report of the finished training; none where they are not kept."""
    keep_weights: bool = True
    """Whether weights are among what is kept."""
    asked: Sequence[str] = ()
    """Metrics that every report shall have beside those that cost little."""
    observe: bool = False
    """Whether gradients, dead units and activations are looked at before each report."""
    log: str | None = None
    """File for what the training prints; none where nobody asks for it."""
    measure: bool = False
    """Whether its latency is to be measured instead of going on with the training."""
    batch: int = 1
    """Images of the batch whose latency is measured."""
    passes: int = 30
    fellows: Sequence[Job] = ()
    """Of the first member of a fused program, the jobs of the others, which it trains too."""

    @property
    def reports(self) -> int:
        """The report at which the training ends."""
        return int(self.config["train.reports"])  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A file that a finished training left."""

    kind: str
    path: str
    sha256: str
