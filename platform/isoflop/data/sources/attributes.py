"""The digits that scikit-learn carries, by what is true of each: a small set with several labels an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from isoflop.data.sources.arrays import ArraySource
from isoflop.data.sources.digits import digits_source

TRUE_OF: Final[Mapping[str, frozenset[int]]] = {
    "even": frozenset({0, 2, 4, 6, 8}),
    "prime": frozenset({2, 3, 5, 7}),
    "square": frozenset({0, 1, 4, 9}),
    "loop": frozenset({0, 6, 8, 9}),
}
"""The digits that each label is true of; the loop is in the stroke. All digits but 1, 3, 5 and 7 have two or more."""


def attributes_source() -> ArraySource:
    """The images of `digits` with these labels, multi-hot."""
    digits = digits_source()
    ((pixels, labels),) = digits.parts.values()
    table = np.array([[digit in true for true in TRUE_OF.values()] for digit in range(10)], np.uint8)
    return ArraySource(
        name="digits_attributes",
        kind="what is true of scikit-learn's digits",
        classes=tuple(TRUE_OF),
        parts={"": (pixels, table[labels])},
    )
