"""How nets of mobile blocks draw their first weights."""

from __future__ import annotations

import math

from torch import nn

NARROW = 0.01
"""Standard deviation of a dense layer's weights."""


def spread(module: nn.Module) -> None:
    """Draw a convolution's weights by the places and channels that it writes to (He et al. 2015, arXiv 1502.01852).

    To be applied to a body; dense layers are drawn narrowly, biases begin at 0. As torchvision's nets do.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        _still(module)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=NARROW)
        _still(module)


def spread_by_group(module: nn.Module) -> None:
    """The same for convolutions alone, each group counted by itself, as the authors' code and timm's nets do."""
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        _still(module)


def _still(module: nn.Conv2d | nn.Linear) -> None:
    if module.bias is not None:
        nn.init.zeros_(module.bias)
