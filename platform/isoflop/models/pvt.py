"""PVT v2 (Wang et al. 2022, arXiv 2106.13797) of timm's blocks: all places ask, few answer.

With stem 4 at depth and width 1 a variant is the published net, its weights in timm's order. Width scales the size of
the heads, as the paper does from B0 to B1; their number stays.

`attention` says how keys and values are made fewer: "reduced" by a strided convolution, with the published stride where
that leaves 2x2 of them; "linear" by averaging to at most 7x7, so that the cost of attention is linear in tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from timm.layers import calculate_drop_path_rates
from timm.models.pvt_v2 import Block, OverlapPatchEmbed, PyramidVisionTransformerStage
from torch import nn

from isoflop.config import ModelConfig
from isoflop.models.net import Body, Staged
from isoflop.models.registry import register
from isoflop.models.stride import LEAST, fitted
from isoflop.scaling import Shape


class Variant(NamedTuple):
    """A column of the paper's table 1."""

    head: int
    """Channels of a head."""
    blocks: tuple[int, ...]
    expand: tuple[int, ...] = (8, 8, 4, 4)


VARIANTS: Mapping[str, Variant] = {
    "b0": Variant(32, (2, 2, 2, 2)),
    "b1": Variant(64, (2, 2, 2, 2)),
    "b2": Variant(64, (3, 4, 6, 3)),
    "b3": Variant(64, (3, 4, 18, 3)),
    "b4": Variant(64, (3, 8, 27, 3)),
    "b5": Variant(64, (3, 6, 40, 3), (4, 4, 4, 4)),
}
HEADS, REDUCTIONS = (1, 2, 5, 8), (8, 4, 2, 1)
"""Heads of each stage, and places a side that make one key."""
POOLED = 7
"""Keys a side of linear attention."""


class PVT(Staged):
    """Overlapping patches and four stages of attention, with patches joined between them."""

    def __init__(self, shape: Shape, variant: Variant, *, linear: bool, channels: int, drop_path: float) -> None:
        super().__init__()
        layers = [shape.layers(count) for count in variant.blocks]
        drops = calculate_drop_path_rates(drop_path, layers, stagewise=True)
        head, side, stride = shape.channels(variant.head), -(-shape.resolution // shape.stem), shape.stem
        inputs, self.tokens = head * HEADS[0], side**2
        # Up to stride 2 with 3x3 pixels; at stride 4 with the published 7x7.
        self.stem = OverlapPatchEmbed(max(3, 2 * shape.stem - 1), shape.stem, channels, inputs)
        for place, step in enumerate(fitted((1, 2, 2, 2), side)):
            outputs, side, stride = head * HEADS[place], -(-side // step), stride * step
            stage = PyramidVisionTransformerStage(
                inputs,
                outputs,
                layers[place],
                downsample=place > 0,
                num_heads=HEADS[place],
                sr_ratio=max(1, min(REDUCTIONS[place], side // LEAST)),
                linear_attn=linear,
                mlp_ratio=variant.expand[place],
                drop_path=drops[place],
            )
            if place:
                stage.downsample = OverlapPatchEmbed(3, step, inputs, outputs)
            if linear:
                _pool(stage.blocks, min(POOLED, side))
            self.stages.append(stage)
            self.strides.append(stride)
            inputs = outputs
        self.channels = inputs
        self.apply(_initialize)


def _pool(blocks: Iterable[Block], side: int) -> None:
    """Let linear attention have so many keys a side: a small map has no more places."""
    for block in blocks:
        block.attn.pool = nn.AdaptiveAvgPool2d(side)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
        nn.init.zeros_(module.bias)


@register("pvt")
def build(shape: Shape, model: ModelConfig, channels: int) -> Body:
    """PVT v2 of a shape; depth is blocks a stage."""
    linear = model.knob("attention") == "linear"
    return PVT(shape, VARIANTS[model.variant], linear=linear, channels=channels, drop_path=model.drop_path)
