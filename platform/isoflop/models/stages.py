"""Stages of blocks, laid out one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from torch import nn
from torchvision.ops import StochasticDepth

from isoflop.models.net import Staged
from isoflop.models.stride import fitted
from isoflop.scaling import Shape

Row = TypeVar("Row")
Block: TypeAlias = Callable[[int, int, int, float], nn.Module]
"""Makes a block of the channels that come in and go out, its stride, and how often its path is dropped."""


class Stage(NamedTuple):
    """Blocks whose maps have equal channels; the first takes the stride."""

    channels: int
    stride: int
    blocks: Sequence[Block]


def lay(body: Staged, stages: Sequence[Stage], shape: Shape, *, inputs: int, drop_path: float = 0.0) -> int:
    """Append stages behind a stem that gives so many channels; returns the channels of the last map.

    No stage shrinks a map further than `fitted` lets it. The rate of dropped paths grows linearly from block to block
    (Huang et al. 2016, arXiv 1603.09382), counted as timm's and torchvision's EfficientNet do.
    """
    stride, done, total = shape.stem, 0, sum(len(stage.blocks) for stage in stages)
    for stage, step in zip(
        stages, fitted((stage.stride for stage in stages), -(-shape.resolution // shape.stem)), strict=True
    ):
        blocks = nn.Sequential()
        for place, block in enumerate(stage.blocks):
            blocks.append(block(inputs, stage.channels, 1 if place else step, drop_path * done / total))
            inputs, done = stage.channels, done + 1
        stride *= step
        body.stages.append(blocks)
        body.strides.append(stride)
    return inputs


def close(body: Staged, stage: nn.Module) -> None:
    """Append what follows the last stage and leaves the size of its map."""
    body.stages.append(stage)
    body.strides.append(body.strides[-1])


def dropped(block: nn.Module, path: nn.Sequential, drop: float) -> nn.Module:
    """A residual block that knows no such thing, with its path dropped so often."""
    if drop:
        path.append(StochasticDepth(drop, "row"))
    return block


def evenly(rows: Sequence[Row], count: int) -> list[Row]:
    """So many of the rows that a stage was published with: its first, and the others repeated or left out evenly."""
    return [rows[place * len(rows) // count] for place in range(count)]
