"""Random suggestions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isoflop.families import Scalar
from isoflop.planning.samplers.protocol import Observation
from isoflop.space import SearchSpace, random_suggester


@dataclass(frozen=True, slots=True)
class RandomSampler:
    """Draws from the whole space, whatever was seen, in time that does not grow."""

    space: SearchSpace

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """A random configuration."""
        del number, seen
        return self.space.sample(random_suggester(seed))
