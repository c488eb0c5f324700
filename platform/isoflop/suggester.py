"""What a space asks for values: a protocol that Optuna's trial meets, and a random one."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Protocol

from isoflop.families import Scalar


class Suggester(Protocol):
    """Draws values; the signatures are those of Optuna's trial."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number in [low, high]."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """One of the choices."""
        ...


class RandomSuggester:
    """Draws uniformly, or uniformly in the logarithm."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - not for secrets

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""
        del name
        if step:
            return min(low + step * self._random.randint(0, round((high - low) / step)), high)
        if log:
            return min(max(math.exp(self._random.uniform(math.log(low), math.log(high))), low), high)
        return self._random.uniform(low, high)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number in [low, high]."""
        if log:
            # Each whole number has the share of the half-open interval around it, as in Optuna.
            drawn = self.suggest_float(name, low - 0.5, high + 0.5, log=True)
            return min(max(round(drawn), low), high)
        return low + step * self._random.randint(0, (high - low) // step)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """One of the choices."""
        del name
        return choices[self._random.randrange(len(choices))]


def random_suggester(seed: int) -> Suggester:
    """A suggester that draws at random; equal seeds draw equal values."""
    return RandomSuggester(seed)
