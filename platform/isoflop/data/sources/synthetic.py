"""Tiny made images whose class can be learned: the twin of the real sources, for tests."""

from __future__ import annotations

import numpy as np

from isoflop.data.sources.arrays import ArraySource


def synthetic_source(
    *, classes: int = 4, images: int = 240, size: int = 8, channels: int = 1, seed: int = 0
) -> ArraySource:
    """Noise with a bright bar whose height in the image is its class; `classes` at most `size`."""
    generator = np.random.Generator(np.random.PCG64(seed))
    labels = np.arange(images) % classes
    pixels = generator.integers(0, 96, (images, size, size, channels), np.uint8)
    rows = labels * size // classes
    pixels[np.arange(images), rows] += 128
    return ArraySource(
        name="synthetic",
        kind="made images",
        classes=tuple(f"bar {row}" for row in range(classes)),
        parts={"": (pixels, labels.astype(np.int64))},
    )
