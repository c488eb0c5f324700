"""Which images a step sees, and in which order: functions of seed and step alone.

No generator's state is kept, so a training that goes on from a checkpoint sees what it would have seen. What does not
fill a batch is left out of an epoch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from isoflop.seeds import derive

CPU = torch.device("cpu")
Fetch: TypeAlias = Callable[[int, int], None]
"""Is told that images from one place up to another are needed soon."""


class Order(ABC):
    """An order in epochs, of images counted from 0. One epoch is kept at a time, on the device that gathers."""

    def __init__(self, count: int, device: torch.device = CPU) -> None:
        self.count, self.device = count, device
        self._kept: tuple[tuple[int, ...], Tensor] | None = None

    def at(self, step: int, *, size: int, seed: int) -> Tensor:
        """The places (size,) of the images of a step, counted from 0."""
        epoch, place = divmod(step, max(1, self.count // size))
        return self._keep(seed, epoch)[place * size : (place + 1) * size]

    def _keep(self, seed: int, *where: int) -> Tensor:
        if self._kept is None or self._kept[0] != (seed, *where):
            self._kept = (seed, *where), self.epoch(seed, *where).to(self.device)
        return self._kept[1]

    @abstractmethod
    def epoch(self, seed: int, *where: int) -> Tensor:
        """All places that an epoch visits, in order."""


class Shuffled(Order):
    """Every epoch visits each image once in a fresh order."""

    def epoch(self, seed: int, *where: int) -> Tensor:
        """A permutation of all."""
        generator = torch.Generator().manual_seed(derive(seed, "order", *where))
        return torch.randperm(self.count, generator=generator)


class Balanced(Order):
    """An epoch of as many images as there are, in which classes are more even than in the set.

    A class with the share s of the images gets the share s**(1 - balance) / sum of these: 0 is the set's own, 1 the
    same for all. Inside a class images are seen equally often, up to once.
    """

    def __init__(self, labels: Tensor, balance: float, device: torch.device = CPU) -> None:
        super().__init__(len(labels), device)
        counts = torch.bincount(labels)
        self.classes = [
            found for found in torch.split(torch.argsort(labels, stable=True), counts.tolist()) if len(found)
        ]
        self.quotas = quotas([len(found) ** (1 - balance) for found in self.classes], self.count)

    def epoch(self, seed: int, *where: int) -> Tensor:
        """Of each class whole rounds and a drawn remainder, all mixed."""
        generator = torch.Generator().manual_seed(derive(seed, "order", *where))
        drawn = []
        for members, quota in zip(self.classes, self.quotas, strict=True):
            rounds, rest = divmod(quota, len(members))
            drawn += [members] * rounds
            drawn.append(members[torch.randperm(len(members), generator=generator)[:rest]])
        return torch.cat(drawn)[torch.randperm(self.count, generator=generator)]


class Curriculum(Order):
    """Easy images first: a step draws from a share of them that grows in equal stages until all are seen.

    The pace is Hacohen & Weinshall's with linear growth (arXiv 1904.03626, section 2; the idea: Bengio et al. 2009,
    Curriculum learning). Inside a stage each of its images is visited once an epoch of its own. From the end of the
    last stage on it is the plain order.
    """

    def __init__(self, easiest: Tensor, *, start: float, until: int, stages: int, device: torch.device = CPU) -> None:
        """`easiest` (N,): places by difficulty. `start`: the first stage's share; `until`: the step that sees all."""
        super().__init__(len(easiest), device)
        self.easiest = easiest
        self.begins = [round(until * stage / stages) for stage in range(stages + 1)]
        self.shares = [start + (1 - start) * stage / stages for stage in range(stages)]
        self.plain = Shuffled(self.count, device)

    def at(self, step: int, *, size: int, seed: int) -> Tensor:
        """The places (size,) of a step's images, which are among those seen so far."""
        for stage, (begin, end) in enumerate(pairwise(self.begins)):
            if begin <= step < end:
                epoch, place = divmod(step - begin, self._seen(stage, size) // size)
                return self._keep(seed, stage, epoch, size)[place * size : (place + 1) * size]
        return self.plain.at(step, size=size, seed=seed)

    def epoch(self, seed: int, *where: int) -> Tensor:
        """A permutation of the images that a stage sees."""
        stage, epoch, size = where
        generator = torch.Generator().manual_seed(derive(seed, "curriculum", stage, epoch))
        seen = self._seen(stage, size)
        return self.easiest[:seen][torch.randperm(seen, generator=generator)]

    def _seen(self, stage: int, size: int) -> int:
        """Images of a stage: its share, at least a batch."""
        return min(self.count, max(size, round(self.shares[stage] * self.count)))


class Windowed(Order):
    """Blocks of consecutive images in a fresh order each epoch, of which so many are mixed at a time.

    For images that lie on a disk in an order that was mixed before (`isoflop data prepare --shard-size`): it is read
    block after block, and no more is needed at once than two windows, one being read while the other is used. `fetch`
    is told of a block before its window begins.
    """

    def __init__(
        self, count: int, *, block: int, window: int, fetch: Fetch | None = None, device: torch.device = CPU
    ) -> None:
        """`window` in images; it holds at least one block."""
        super().__init__(count, device)
        self.block, self.blocks = block, max(1, window // block)
        self.fetch = fetch
        self._ends: list[int] = []
        self._ranges: list[list[tuple[int, int]]] = []
        self._told: tuple[tuple[int, int], int] = (-1, -1), 0

    def at(self, step: int, *, size: int, seed: int) -> Tensor:
        """The places (size,) of a step's images, which lie in one window, or in two where one ends."""
        epoch, place = divmod(step, max(1, self.count // size))
        kept = self._keep(seed, epoch)
        if self.fetch is not None:
            self._tell(self.fetch, (seed, epoch), place * size, (place + 1) * size - 1)
        return kept[place * size : (place + 1) * size]

    def epoch(self, seed: int, *where: int) -> Tensor:
        """Window after window, each mixed."""
        generator = torch.Generator().manual_seed(derive(seed, "order", *where))
        starts = range(0, self.count, self.block)
        mixed = [starts[at] for at in torch.randperm(len(starts), generator=generator).tolist()]
        ranges = [(start, min(start + self.block, self.count)) for start in mixed]
        self._ranges = [ranges[at : at + self.blocks] for at in range(0, len(ranges), self.blocks)]
        windows = [torch.cat([torch.arange(*one) for one in window]) for window in self._ranges]
        self._ends = torch.tensor([len(window) for window in windows]).cumsum(0).tolist()
        return torch.cat([window[torch.randperm(len(window), generator=generator)] for window in windows])

    def _tell(self, fetch: Fetch, epoch: tuple[int, int], first: int, last: int) -> None:
        """Say what the windows of these images and the next one need, once each."""
        begin, end = bisect_right(self._ends, first), bisect_right(self._ends, last) + 2
        told = self._told[1] if self._told[0] == epoch else 0
        for window in self._ranges[max(begin, told) : end]:
            for start, stop in sorted(window):
                fetch(start, stop)
        self._told = epoch, max(told, end)


def quotas(weights: Sequence[float], total: int) -> list[int]:
    """Whole numbers in the ratio of the weights that add up to `total`, by largest remainders."""
    wanted = [weight * total / sum(weights) for weight in weights]
    found = [int(one) for one in wanted]
    by_remainder = sorted(range(len(weights)), key=lambda at: (found[at] - wanted[at], at))
    for at in by_remainder[: total - sum(found)]:
        found[at] += 1
    return found
