"""What Inception nets are made of: convolutions, pooling, and forks of them, written down before they are built.

Channels are the paper's; building a part scales them with the shape. Where the published net leaves a convolution or
pooling without padding it is `tight`: so it is built with the published stem alone. With the stems for small images
everything is padded, and the side of a map is that of the image divided by its stride, rounded up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

from isoflop.scaling import Shape

PUBLISHED = 8
"""Pixels per cell of the map that the published stems end with."""
Item = TypeVar("Item")
convolution = partial(Conv2dNormActivation, norm_layer=partial(nn.BatchNorm2d, eps=1e-3))


class Map(NamedTuple):
    """What is known of a map before there is one."""

    channels: int
    side: int
    """Pixels."""


class Part(Protocol):
    """Something that can be built on a map."""

    def build(self, shape: Shape, below: Map, step: int = 1) -> tuple[nn.Module, Map]:
        """The module, with a stride of so many pixels, and the map that it gives."""
        ...


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with batch norm and ReLU."""

    channels: int
    kernel: int | tuple[int, int] = 1
    tight: bool = False

    def build(self, shape: Shape, below: Map, step: int = 1) -> tuple[nn.Module, Map]:
        """A convolution of scaled channels."""
        channels = shape.channels(self.channels)
        padding = 0 if _is_tight(self, shape) else None
        module = convolution(below.channels, channels, kernel_size=self.kernel, stride=step, padding=padding)
        kernel = self.kernel if padding == 0 and isinstance(self.kernel, int) else 1
        return module, Map(channels, (below.side - kernel) // step + 1)


@dataclass(frozen=True, slots=True)
class Pool:
    """Pooling over 3x3 places."""

    layer: Callable[..., nn.Module] = nn.MaxPool2d
    tight: bool = False

    def build(self, shape: Shape, below: Map, step: int = 1) -> tuple[nn.Module, Map]:
        """A pooling layer."""
        padding = 0 if _is_tight(self, shape) else 1
        return self.layer(3, step, padding=padding), Map(below.channels, (below.side + 2 * padding - 3) // step + 1)


@dataclass(frozen=True, slots=True)
class CeilPool:
    """Maximum pooling whose last window may hang over the map's end, as Caffe has it; nothing where the step is 1."""

    kernel: int = 3

    def build(self, shape: Shape, below: Map, step: int = 1) -> tuple[nn.Module, Map]:
        """A pooling layer: of an odd side, padded, so that no place is lost."""
        del shape
        padding = below.side % 2 if self.kernel > 2 else 0
        pool = nn.MaxPool2d(self.kernel, step, padding=padding, ceil_mode=True) if step > 1 else nn.Identity()
        return pool, Map(below.channels, -(-below.side // step))


class Fork:
    """Branches side by side, their maps laid one behind another; a step is taken by the last part of each."""

    def __init__(self, *branches: Sequence[Part]) -> None:
        self.branches = branches

    def build(self, shape: Shape, below: Map, step: int = 1) -> tuple[nn.Module, Map]:
        """The branches."""
        built = [chain(shape, below, branch, [1] * (len(branch) - 1) + [step]) for branch in self.branches]
        return Mixed(module for module, _ in built), Map(sum(made.channels for _, made in built), built[0][1].side)


class Mixed(nn.ModuleList):
    """Branches of one map."""

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Their maps, one behind another."""
        return torch.cat([branch(x) for branch in self], 1)


def chain(shape: Shape, below: Map, parts: Sequence[Part], steps: Sequence[int]) -> tuple[nn.Sequential, Map]:
    """Parts one after another, each with its step."""
    built = nn.Sequential()
    for part, step in zip(parts, steps, strict=True):
        module, below = part.build(shape, below, step)
        built.append(module)
    return built, below


def stretched(items: Sequence[Item], length: int) -> list[Item]:
    """A list of another length: some of the items, or some repeated, in their order; always the last."""
    return [items[-(-(place + 1) * len(items) // length) - 1] for place in range(length)]


def _is_tight(part: Conv | Pool, shape: Shape) -> bool:
    return part.tight and shape.stem == PUBLISHED
