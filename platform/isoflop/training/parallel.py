"""One training on several devices: each has all the weights and a part of every batch.

Gradients are averaged by torch's DistributedDataParallel (Li et al. 2020, arXiv 2006.15704). The batch of a step is
that of one device, cut into as many equal parts; so a net that treats each image by itself comes to the same step, up
to rounding. Batch norm sees the images of its own part, and its running statistics are those of the first device;
dropout draws on each device anew. What decides anything (losses looked at, metrics) is gathered first, so that all
processes know the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Final, Protocol, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from isoflop.config import AugmentConfig
from isoflop.training.objective import Objective
from isoflop.training.split import Split

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""The mean loss of images and targets, a scalar with its graph."""
Pairs: TypeAlias = list[tuple[Tensor, Tensor]]
"""Outputs and targets of pieces."""


class Ranks(Protocol):
    """The processes of one training, as each of them sees them."""

    count: int
    place: tuple[int, ...]
    """What tells this process's draws from those of the first: empty there."""

    def cut(self, split: Split) -> Split:
        """This process's part of a split: of each batch, and of all images."""
        ...

    def loss(self, net: nn.Module, objective: Objective, images: int) -> Loss:
        """The objective's loss whose gradients are averaged over all processes with the last of a step's images.

        A step has so many images here.
        """
        ...

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, the same in each."""
        ...

    def settle(self, net: nn.Module) -> None:
        """Give all processes the first one's buffers."""
        ...

    def gather(self, pairs: Pairs) -> Pairs:
        """The pairs of all processes, in order, the same in each."""
        ...


class Alone:
    """One process, which has all."""

    count = 1
    place: tuple[int, ...] = ()

    def cut(self, split: Split) -> Split:
        """All of it."""
        return split

    def loss(self, net: nn.Module, objective: Objective, images: int) -> Loss:
        """The objective's."""
        del images
        return lambda images, targets: objective(net, images, targets)

    def mean(self, values: Tensor) -> Tensor:
        """The values."""
        return values

    def settle(self, net: nn.Module) -> None:
        """They are."""

    def gather(self, pairs: Pairs) -> Pairs:
        """The pairs."""
        return pairs


ALONE: Final[Ranks] = Alone()


class Together:
    """One of several processes; the process group is there."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self.place: tuple[int, ...] = (self.rank,) if self.rank else ()

    def cut(self, split: Split) -> Split:
        """The part of this rank."""
        return Cut(split, self.rank, self.count)

    def loss(self, net: nn.Module, objective: Objective, images: int) -> Loss:
        """With gradients averaged by torch."""
        return _Averaged(net, objective, images)

    def mean(self, values: Tensor) -> Tensor:
        """Their sum by the count."""
        total = values.clone()
        dist.all_reduce(total)
        return total / self.count

    def settle(self, net: nn.Module) -> None:
        """Send them from rank 0."""
        for buffer in net.buffers():
            dist.broadcast(buffer, 0)

    def gather(self, pairs: Pairs) -> Pairs:
        """One of each rank in turn, as `Cut` handed them out."""
        found: list[Pairs] = [[] for _ in range(self.count)]
        dist.all_gather_object(found, pairs)
        return [found[n % self.count][n // self.count] for n in range(sum(map(len, found)))]


class Cut:
    """The part of a split that one rank sees."""

    def __init__(self, split: Split, rank: int, count: int) -> None:
        self.split, self.rank, self.count = split, rank, count

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """This rank's part of the training batch of a step, in pieces of so many images."""
        parts = self.split.pieces(step, size=size, piece=size // self.count, seed=seed, config=config)
        for images, targets in islice(parts, self.rank, self.rank + 1):
            yield from zip(torch.split(images, piece), torch.split(targets, piece), strict=True)

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every so many pieces one, beginning with the rank's."""
        yield from islice(self.split.all(size), self.rank, None, self.count)


class _Loss(nn.Module):
    """An objective with its net as a module, so that torch knows what belongs to a step, however the net is called."""

    def __init__(self, net: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.net, self.objective = net, objective

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        return self.objective(self.net, images, targets)


class _Averaged:
    """A loss whose gradients are averaged when the last image of a step has gone through."""

    def __init__(self, net: nn.Module, objective: Objective, images: int) -> None:
        self._parallel = DistributedDataParallel(_Loss(net, objective))
        self._images, self._seen = images, 0

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        self._seen += len(targets)
        last = self._seen == self._images
        if last:
            self._seen = 0
        with nullcontext() if last else self._parallel.no_sync():
            loss: Tensor = self._parallel(images, targets)
        return loss
