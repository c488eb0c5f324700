"""Keeps a sampler's linear algebra on one thread.

Its sums then come out the same on any number of cores, and the cores are left to the trainings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from threadpoolctl import ThreadpoolController

from isoflop.families import Scalar
from isoflop.planning.samplers.protocol import Observation, Sampler


@dataclass(frozen=True, slots=True)
class Alone:
    """Asks a sampler while BLAS and OpenMP have one thread."""

    inner: Sampler

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """What the sampler suggests."""
        with _pools().limit(limits=1):
            return self.inner(number, seen, seed)


@cache
def _pools() -> ThreadpoolController:
    """The pools of the libraries that are loaded by now; looking for them takes 13 ms."""
    return ThreadpoolController()
