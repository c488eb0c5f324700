"""Keeps a sampler from suggesting what was tried, where there is something else to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isoflop.families import Scalar
from isoflop.planning.samplers.protocol import Observation, Sampler
from isoflop.planning.samplers.walk import Walk, identity
from isoflop.seeds import derive
from isoflop.space import SearchSpace, random_suggester

AGAIN = 4
"""Times that a sampler is asked again, with other chance."""
WHOLE = 4096
"""Configurations of a space up to which one that is left is looked for by walking it."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Asks a sampler of a finite space again while it suggests what was tried, then draws what is left.

    A space of at most 4,096 configurations gives one that is left as long as there is one; in a larger one, after 16
    random draws, a suggestion stands even though it was tried.
    """

    inner: Sampler
    space: SearchSpace

    def __call__(self, number: int, seen: Sequence[Observation], seed: int) -> Mapping[str, Scalar]:
        """A configuration that no trial seen has, if that was found."""
        tried = {identity(one.params) for one in seen}
        size = self.space.size() or 0
        again = range(1, AGAIN + 1) if len(tried) < size else ()
        for attempt in (0, *again):
            params = self.inner(number, seen, derive(seed, "again", attempt) if attempt else seed)
            if identity(params) not in tried:
                return params
        if len(tried) < size <= WHOLE:
            everything = Walk(self.space)
            left = [found for place in range(size) if identity(found := everything[place]) not in tried]
            return left[derive(seed, "left") % len(left)] if left else params
        for attempt in range(16):
            drawn = self.space.sample(random_suggester(derive(seed, "draw", attempt)))
            if identity(drawn) not in tried:
                return drawn
        return params
