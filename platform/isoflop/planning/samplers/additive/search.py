"""Looks for the row that promises most: all of a small space, else random ones, then climbing from the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isoflop.planning.samplers.coding import Coding
from isoflop.planning.samplers.column import Floats

WHOLE = 512
"""Configurations of a space up to which all are looked at."""
RANDOM, PARENTS, CHILDREN = 128, 5, 16
CLIMBERS, STEPS, TRIES = 6, 6, 16


@dataclass(frozen=True, slots=True)
class Search:
    """Climbs a promise, higher being better, over the rows of a space that are not tried."""

    coding: Coding
    tried: frozenset[bytes]
    promise: Callable[[Floats], Floats]

    def best(self, chance: np.random.Generator, parents: Floats) -> Floats | None:
        """The best row found; none where every one that was looked at is tried."""
        size = self.coding.space.size()
        if size is not None and size <= WHOLE:
            rows, _ = self._ranked(self.coding.whole)
            return rows[0] if len(rows) else None
        near = np.repeat(parents[:PARENTS], CHILDREN, axis=0)
        single = self.coding.mutate(chance, near)
        double = self.coding.mutate(chance, self.coding.mutate(chance, near[::2]))
        rows, found = self._ranked(np.concatenate([self.coding.draw(chance, RANDOM), single, double]))
        return self._climbed(chance, rows[:CLIMBERS], found[:CLIMBERS]) if len(rows) else None

    def _climbed(self, chance: np.random.Generator, rows: Floats, found: Floats) -> Floats:
        """Steps up, all climbers at once, until none gets higher."""
        rows, found = rows.copy(), found.copy()
        for _ in range(STEPS):
            moved = self.coding.mutate(chance, np.repeat(rows, TRIES, axis=0))
            promised = self._allowed(moved).reshape(len(rows), TRIES)
            places = np.argmax(promised, axis=1)
            better = promised.max(axis=1) > found
            if not better.any():
                break
            picked = moved.reshape(len(rows), TRIES, -1)[np.arange(len(rows)), places]
            rows[better], found[better] = picked[better], promised.max(axis=1)[better]
        best: Floats = rows[int(np.argmax(found))]
        return best

    def _ranked(self, rows: Floats) -> tuple[Floats, Floats]:
        """Rows that are not tried, best first, with what they promise."""
        found = self._allowed(rows)
        order = np.argsort(-found, kind="stable")
        order = order[np.isfinite(found[order])]
        return rows[order], found[order]

    def _allowed(self, rows: Floats) -> Floats:
        """What rows promise, minus infinity where they are tried."""
        found = self.promise(rows)
        if self.tried:
            found = np.where([row.tobytes() in self.tried for row in rows], -np.inf, found)
        return found
