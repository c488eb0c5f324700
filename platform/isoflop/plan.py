"""The seam between what should happen and where it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from isoflop.config import ModelConfig
from isoflop.families import Scalar
from isoflop.journal.history import History
from isoflop.records import Key, State


class Verdict(StrEnum):
    """What becomes of a training."""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"
    MEASURE = "measure"
    """Its latency is to be measured while nothing else runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A training that should be started, or a trial that is settled without one."""

    key: Key
    params: Mapping[str, Scalar]
    config: Mapping[str, Scalar]
    seed: int
    fingerprint: str
    parameters: int
    flops: float
    source: str
    memory: int = 0
    """Bytes that its training is estimated to take."""
    forecast: Mapping[str, float] = field(default_factory=dict)
    """What is predicted of its result before it is trained, by name; empty where nothing is."""
    state: State | None = None
    """INFEASIBLE or DUPLICATE where it is never trained."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do next. Trainings that no verdict names go on."""

    start: Proposal | None = None
    verdicts: Mapping[Key, Verdict] = field(default_factory=dict)
    """For every open training that stands at a rung or whose latency is not known."""
    infeasible: Mapping[Key, str] = field(default_factory=dict)
    """Of those that are to stop, the ones that break a constraint, and how."""
    finished: bool = False
    """Nothing will ever be started again; what is open goes on."""
    reason: str = ""
    """Why it is finished."""

    def of(self, key: Key) -> Verdict:
        """What becomes of a training; one that no verdict names goes on."""
        return self.verdicts.get(key, Verdict.GO)


class Plan(Protocol):
    """A pure function of the history: no clock, no order of arrival, no executor."""

    def __call__(self, history: History) -> Decision:
        """What to do next."""
        ...


class Priced(Protocol):
    """What a model costs, known before it is built."""

    @property
    def parameters(self) -> int:
        """Number of weights."""
        ...

    @property
    def flops(self) -> int:
        """FLOPs of one image's forward pass (multiply-adds x 2)."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that a training is estimated to take."""
        ...


class Price(Protocol):
    """Counts what a model costs. Raises `SpecError` for an illegal shape."""

    def __call__(
        self, model: ModelConfig, *, batch: int, states: int, share: float = 1.0, recompute: bool = False
    ) -> Priced:
        """The model's cost at a batch size, in a training that keeps so many copies of its weights.

        With a share it sees images of that share of its resolution. With `recompute` it computes blocks again for the
        backward pass.
        """
        ...
