"""Heads keep their size where there are enough of them."""

from __future__ import annotations

import pytest

from isoflop.scaling.heads import width_and_heads


@pytest.mark.parametrize(
    ("width", "size", "expected"),
    [
        (2, 64, (16, 1)),
        (48, 64, (48, 3)),
        (65, 64, (64, 4)),
        (96, 64, (96, 6)),
        (192, 64, (192, 3)),
        (384, 64, (384, 6)),
        (768, 64, (768, 12)),
        (24, 32, (24, 3)),
        (48, 32, (48, 6)),
        (96, 32, (96, 3)),
        (128, 32, (128, 4)),
    ],
)
def test_heads_keep_their_size(width, size, expected):
    assert width_and_heads(width, size) == expected


@pytest.mark.parametrize("size", [32, 64])
def test_wider_is_never_narrower(size):
    widths = [width_and_heads(wanted, size)[0] for wanted in range(1, 800)]
    assert widths == sorted(widths)
