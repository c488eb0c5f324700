"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from timm import layers
from torch import nn

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": partial(nn.LeakyReLU, 0.1),
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}


IN_PLACE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU)
"""What can write over what it reads."""
KINDS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Tanh, nn.Hardswish),
    *(layers.Swish, layers.HardSwish, layers.GELU, layers.GELUTanh, layers.QuickGELU),
)
"""What is an activation in the families' nets; sigmoids are not, which are gates there."""


def activation(name: str, *, inplace: bool = False) -> nn.Module:
    """A new activation, which writes over what it reads if it may and can."""
    made = ACTIVATIONS[name]()
    if isinstance(made, IN_PLACE):
        made.inplace = inplace
    return made
