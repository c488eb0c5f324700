"""Normalizations of maps (N, C, H, W) by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from timm.layers import LayerNorm2d
from torch import nn

GROUPS = 32
"""Groups of group normalization, or as many as divide the channels (Wu & He 2018, arXiv 1803.08494, section 3.2)."""
LEAST = 2
"""Channels of a group: with one, it would be instance normalization."""


def _grouped(channels: int) -> nn.Module:
    most = max(1, min(GROUPS, channels // LEAST))
    return nn.GroupNorm(next(groups for groups in range(most, 0, -1) if channels % groups == 0), channels)


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
