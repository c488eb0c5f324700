"""Averages of a net's weights over a training (`average.*`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from isoflop.config import AverageConfig
from isoflop.length import Length

POWER = 2 / 3
"""How an exponential average grows slow, as timm's `ModelEmaV3` has it."""


class Average(ABC):
    """A copy of a net whose weights are an average of the net's: a subclass says of which steps, and how."""

    averages_buffers = True
    """Whether statistics of batch norms are averaged too; if not, they are estimated anew for the averaged weights."""

    def __init__(self, net: nn.Module, config: AverageConfig, length: Length) -> None:
        self.config, self.length = config, length
        self.net = deepcopy(net).requires_grad_(False)  # noqa: FBT003 - torch's own form
        self.taken = 0
        """How many weights are in it."""
        pairs = list(zip(_tensors(self.net), _tensors(net), strict=True))
        self._floats = [pair for pair in pairs if self._is_averaged(*pair)]
        self._others = [pair for pair in pairs if not self._is_averaged(*pair)]

    @abstractmethod
    def takes(self, step: int) -> bool:
        """Whether the weights after so many steps belong to it."""

    @abstractmethod
    def mix(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        """Take in current weights."""

    def update(self, step: int) -> None:
        """Take in the net's weights after so many steps, if they belong to it."""
        if not self.takes(step):
            return
        self.mix(*map(list, zip(*self._floats, strict=True)))
        with torch.no_grad():
            for mine, its in self._others:
                mine.copy_(its)
        self.taken += 1

    @property
    def begun(self) -> bool:
        """Whether any weights are in it."""
        return self.taken > 0

    @property
    def estimates(self) -> bool:
        """Whether statistics of batch norms are to be estimated before it is asked."""
        return self.begun and not self.averages_buffers and any(_norms(self.net))

    def estimate(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Estimate the statistics of batch norms on batches of images; those of a frozen body stay as they are."""
        self.net.train()
        if any(norm.training for norm in _norms(self.net)):
            with torch.no_grad():
                update_bn(batches, self.net)

    def state_dict(self) -> dict[str, Any]:
        """The averaged net, and how many weights are in it."""
        return {"net": self.net.state_dict(), "taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on averaging."""
        self.net.load_state_dict(state["net"])
        self.taken = state["taken"]

    def _is_averaged(self, mine: Tensor, its: Tensor) -> bool:
        return mine.is_floating_point() and (self.averages_buffers or isinstance(its, nn.Parameter))


class Ema(Average):
    """An exponential average over all steps, buffers included (Polyak & Juditsky 1992; Tarvainen & Valpola 2017)."""

    def takes(self, step: int) -> bool:
        """All."""
        del step
        return True

    def mix(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        """Keep `decay` of the average, less in the beginning."""
        get_ema_multi_avg_fn(self.decay)(averaged, current, None)  # type: ignore[no-untyped-call]

    @property
    def decay(self) -> float:
        """What the next step leaves of the average: of what stood before the first one, nothing."""
        return min(1 - float((1 + self.taken) ** -POWER), self.config.decay)


class Swa(Average):
    """The plain average of weights taken at equal distances, the last ones at the horizon."""

    averages_buffers = False

    def takes(self, step: int) -> bool:
        """Those that lie a whole number of distances before the horizon, from `average.start` on."""
        distance = max(1, round(self.config.every * self.length.epoch))
        return step >= self.config.start * self.length.steps and (self.length.steps - step) % distance == 0

    def mix(self, averaged: list[Tensor], current: list[Tensor]) -> None:
        """Each has the same weight."""
        get_swa_multi_avg_fn()(averaged, current, self.taken)  # type: ignore[no-untyped-call]


def build_average(net: nn.Module, config: AverageConfig, length: Length) -> Average | None:
    """The average of a configuration, none where it names none."""
    kinds: dict[str, type[Average]] = {"ema": Ema, "swa": Swa}
    return kinds[config.name](net, config, length) if config.name in kinds else None


def _norms(net: nn.Module) -> Iterator[_BatchNorm]:
    return (module for module in net.modules() if isinstance(module, _BatchNorm) and module.track_running_stats)


def _tensors(net: nn.Module) -> Iterator[Tensor]:
    yield from net.parameters()
    yield from net.buffers()
