"""Attention that a convolution's output goes through, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from timm.layers import GatherExcite, NonLocalAttn, SEModule
from timm.layers.cbam import CbamModule
from torch import nn


def _none(channels: int) -> nn.Module:
    del channels
    return nn.Identity()


ATTENTIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "none": _none,
    "se": SEModule,  # Hu et al. 2018, arXiv 1709.01507
    "cbam": CbamModule,  # Woo et al. 2018, arXiv 1807.06521
    "ge": partial(GatherExcite, use_mlp=False),  # Hu et al. 2018, arXiv 1810.12348, section 3.1: without weights
    "nonlocal": NonLocalAttn,  # Wang et al. 2018, arXiv 1711.07971
}


def attention(name: str, channels: int) -> nn.Module:
    """A new attention over so many channels."""
    return ATTENTIONS[name](channels)
