"""A run as a store of records has it: texts and the newest numbers, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from isoflop.records import Key

Newest: TypeAlias = Mapping[str, tuple[float, int]]
"""Metrics by name: the newest value, and its step."""
Curve: TypeAlias = Mapping[str, Sequence[tuple[int, float]]]
"""Metrics by name: step and value, a step once, in their order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The run of a study or of one of its trainings, or what is new about it."""

    id: str
    parent: str
    """The run of its study; its own id where it is a study's."""
    seq: int
    """Number of its newest event."""
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Newest

    @property
    def key(self) -> Key | None:
        """Which training it is, none where it is the study's own run."""
        if self.id == self.parent:
            return None
        return Key(trial=int(self.tags["isoflop.trial"]), replicate=int(self.tags["isoflop.replicate"]))

    def merged(self, later: Run) -> Run:
        """With what is new about it."""
        metrics = dict(self.metrics)
        for name, (value, step) in later.metrics.items():
            if name not in metrics or metrics[name][1] <= step:
                metrics[name] = value, step
        return Run(
            id=self.id,
            parent=self.parent,
            seq=max(self.seq, later.seq),
            tags={**self.tags, **later.tags},
            params={**self.params, **later.params},
            metrics=metrics,
        )
