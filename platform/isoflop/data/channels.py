"""Mean and standard deviation of each channel."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

BYTES = 2**20
"""Pixels counted at a time; counting takes eight times as many bytes."""


def statistics(images: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]) -> tuple[list[float], list[float]]:
    """Means and deviations (population's) by channel of some images (N, C, H, W), for values in 0..1.

    Values are counted, so that sums are whole numbers and equal on every machine.
    """
    counts = np.zeros((images.shape[1], 256), np.int64)
    size = max(1, BYTES // (images.nbytes // len(images)))
    for start in range(0, len(places), size):
        chunk = images[places[start : start + size]]
        counts += [np.bincount(values.ravel(), minlength=256) for values in chunk.swapaxes(0, 1)]
    moments = [_moments(row.tolist()) for row in counts]
    return [mean for mean, _ in moments], [deviation for _, deviation in moments]


def _moments(counts: list[int]) -> tuple[float, float]:
    total = sum(counts)
    first = sum(value * count for value, count in enumerate(counts))
    second = sum(value**2 * count for value, count in enumerate(counts))
    return first / total / 255, math.sqrt(total * second - first**2) / total / 255
