"""How channels are rounded."""

from __future__ import annotations


def round_channels(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of the divisor, never falling by more than 10 % (as MobileNetV2's code does)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
