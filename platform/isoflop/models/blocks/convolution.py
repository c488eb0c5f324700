"""3x3 convolutions by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from torch import nn

GROUPS = 8
"""Groups of a grouped convolution, or as many of them as divide its channels."""


class Maker(Protocol):
    """Makes a convolution of so many input and output channels."""

    def __call__(self, inputs: int, outputs: int, *, stride: int, bias: bool) -> nn.Module:
        """A new one."""


def _standard(inputs: int, outputs: int, *, stride: int, bias: bool) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=bias)


def _separable(inputs: int, outputs: int, *, stride: int, bias: bool) -> nn.Module:
    """Each channel by itself, then all of them at each place (Howard et al. 2017, arXiv 1704.04861)."""
    alone = nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False)
    return nn.Sequential(alone, nn.Conv2d(inputs, outputs, 1, bias=bias))


def _grouped(inputs: int, outputs: int, *, stride: int, bias: bool) -> nn.Module:
    groups = math.gcd(GROUPS, inputs, outputs)
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=groups, bias=bias)


def _dilated(inputs: int, outputs: int, *, stride: int, bias: bool) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=2, dilation=2, bias=bias)


CONVOLUTIONS: Mapping[str, Maker] = {
    "standard": _standard,
    "separable": _separable,
    "grouped": _grouped,
    "dilated": _dilated,
}


def convolution(name: str, inputs: int, outputs: int, *, stride: int = 1, bias: bool = False) -> nn.Module:
    """A new convolution, padded so that a map keeps its side but for the stride."""
    return CONVOLUTIONS[name](inputs, outputs, stride=stride, bias=bias)
