"""How many heads attention has at a width."""

from __future__ import annotations

from isoflop.scaling.channels import round_channels

FEW = 3
"""Heads below which they are made smaller, so that small nets keep several."""


def width_and_heads(wanted: float, size: int) -> tuple[int, int]:
    """Channels and heads near a wanted width: channels are a multiple of the heads' size, whatever the divisor.

    `size` is the published channels of a head; where that left fewer than three heads, a quarter of it is taken. Wider
    is never narrower.
    """
    head = size if wanted >= FEW * size * 0.9 else size // 4
    channels = round_channels(wanted, head)
    return channels, channels // head
