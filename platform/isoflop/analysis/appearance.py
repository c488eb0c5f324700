"""What images look like, in one number each: statistics that need no label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]

LUMA: Final = np.asarray([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""
CELLS: Final = 1 << 22
"""Numbers that are looked at together, so that a large split needs no copies of itself."""


def measure(name: str, images: Pixels) -> Floats:
    """A statistic of each of the images (N, C, H, W), by its name in `STATISTICS`."""
    statistic, step = STATISTICS[name], max(1, CELLS // max(1, int(np.prod(images.shape[1:]))))
    blocks = (images[start : start + step] for start in range(0, len(images), step))
    found = [statistic(np.asarray(block, dtype=np.float32) / np.float32(255)) for block in blocks]
    return np.concatenate(found) if found else np.empty(0, dtype=np.float32)


def brightness(images: Floats) -> Floats:
    """Mean luma, 0 to 1."""
    return np.asarray(luma(images).mean(axis=(1, 2)))


def contrast(images: Floats) -> Floats:
    """Standard deviation of the luma over an image's pixels."""
    return np.asarray(luma(images).std(axis=(1, 2)))


def saturation(images: Floats) -> Floats:
    """Mean of the largest channel less the smallest; 0 for what is grey."""
    return np.asarray((images.max(axis=1) - images.min(axis=1)).mean(axis=(1, 2)))


def sharpness(images: Floats) -> Floats:
    """Mean absolute step of the luma between neighbouring pixels over its contrast; 0 for an image of one tone."""
    grey = luma(images)
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    deviation = grey.std(axis=(1, 2))
    return np.asarray(np.divide(steps / 2, deviation, out=np.zeros_like(deviation), where=deviation > 0))


def luma(images: Floats) -> Floats:
    """Brightness of each pixel, (N, H, W): of three channels as eyes see it, else their mean."""
    if images.shape[1] == len(LUMA):
        return np.asarray(np.einsum("nchw,c->nhw", images, LUMA))
    return np.asarray(images.mean(axis=1))


STATISTICS: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "sharpness": sharpness,
}
