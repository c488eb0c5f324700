"""What nets share that are older than norms, shortcuts and global average pooling."""

from __future__ import annotations

from torch import nn


def dense(inputs: int, grid: int, outputs: int, *, dropout: float) -> nn.Sequential:
    """Two dense layers over maps (N, inputs, H, W) pooled to `grid` places a side: vectors (N, outputs).

    Dropout follows the first; the second's belongs to the head.
    """
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(grid),
        nn.Flatten(),
        nn.Linear(inputs * grid * grid, outputs),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(outputs, outputs),
        nn.ReLU(inplace=True),
    )
