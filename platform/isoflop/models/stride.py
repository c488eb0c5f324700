"""How far a convolutional net may shrink its maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LEAST = 2
"""Pixels of a side below which no stage shrinks a map, so that small images keep some place."""


def fitted(strides: Iterable[int], side: int) -> Iterator[int]:
    """The strides of stages for a map of so many pixels a side: 1 where a stride would leave less than `LEAST`.

    With the stem fixed, the side of every map, and so FLOPs, never fall as the resolution grows.
    """
    for stride in strides:
        used = stride if -(-side // stride) >= LEAST else 1
        side = -(-side // used)
        yield used


def kernel(stride: int) -> int:
    """The kernel of a stem of that stride: 3, or the least odd one, 7 at stride 4, that leaves no pixel unseen."""
    return max(3, 2 * stride - 1)
