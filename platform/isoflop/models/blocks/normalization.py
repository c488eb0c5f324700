"""Normalizations of maps (N, C, H, W) by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from timm.layers import LayerNorm2d
from torch import nn

GROUPS = 32
"""Groups of group normalization, or as many of them as divide the channels (Wu & He 2018, arXiv 1803.08494)."""


def _grouped(channels: int) -> nn.Module:
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


def _instance(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def _none(channels: int) -> nn.Module:
    del channels
    return nn.Identity()


NORMALIZATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": LayerNorm2d,
    "group": _grouped,
    "instance": _instance,
    "none": _none,
}


def normalization(name: str, channels: int) -> nn.Module:
    """A new normalization of so many channels; `layer` is over the channels of each place, as in ConvNeXt."""
    return NORMALIZATIONS[name](channels)
