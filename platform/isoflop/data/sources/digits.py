"""The 1,797 handwritten digits that scikit-learn carries: 8 x 8 pixels, no download."""

from __future__ import annotations

import numpy as np

from isoflop.data.sources.arrays import ArraySource


def digits_source() -> ArraySource:
    """The digits, their values 0 to 16 scaled to 0 to 255 and rounded half up."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = ((images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8).reshape(-1, 8, 8, 1)
    return ArraySource(
        name="digits",
        kind="scikit-learn's digits",
        classes=tuple(map(str, range(10))),
        parts={"": (pixels, labels.astype(np.int64))},
    )
