"""Remembers what was made of observations, so that the next suggestion need not make it anew.

A remembered value is what would be made of the same observations again: it saves time and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from isoflop.families import Scalar
from isoflop.planning.samplers.additive.kernel import Kernel
from isoflop.planning.samplers.coding import Coding
from isoflop.planning.samplers.column import Floats
from isoflop.planning.samplers.protocol import Observation

Maker = Callable[[Sequence[Observation]], Kernel]
KERNELS = 4
"""Kernels that are remembered, the latest ones."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Rows by the number of a trial, and the latest kernels by what they were fitted to."""

    coding: Coding
    _rows: dict[int, tuple[Mapping[str, Scalar], Floats]] = field(default_factory=dict)
    _kernels: list[tuple[str, Sequence[Observation], Kernel]] = field(default_factory=list)

    def row(self, one: Observation) -> Floats:
        """The row of a trial's parameters."""
        known = self._rows.get(one.number)
        if known is None or (known[0] is not one.params and known[0] != one.params):
            known = self._rows[one.number] = one.params, self.coding.encode(one.params)
        return known[1]

    def kernel(self, purpose: str, seen: Sequence[Observation], make: Maker) -> Kernel:
        """The kernel that was fitted to these observations for a purpose, else one made now."""
        for known, fitted_to, kernel in self._kernels:
            if known == purpose and _equal(fitted_to, seen):
                return kernel
        kernel = make(seen)
        self._kernels.insert(0, (purpose, list(seen), kernel))  # the caller's list may grow
        del self._kernels[KERNELS:]
        return kernel


def _equal(first: Sequence[Observation], second: Sequence[Observation]) -> bool:
    return len(first) == len(second) and all(a is b or a == b for a, b in zip(first, second, strict=True))
