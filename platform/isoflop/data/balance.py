"""Whether classes are so unlike in size that the usual numbers hide the small ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from isoflop.errors import Fault
from isoflop.tasks import CLASSIFICATION, Kind

SKEW: Final = 3.0
"""Training images of the largest class over those of the smallest, above which it is said."""


def skew(kind: Kind, classes: Sequence[str], train: Sequence[int]) -> Fault | None:
    """What a person should know of unlike classes, by their training images, with the remedy; none where they are fine.

    With two classes at 3 to 1 a net that always says the larger one is right three times in four.
    """
    most, least = max(train), min(train)
    if most <= SKEW * least:
        return None
    large, small = classes[train.index(most)], classes[train.index(least)]
    ratio = f"{most / least:.3g} to 1" if least else "no image of it"
    hidden = "accuracy hides small classes" if kind is CLASSIFICATION else "what counts all labels hides rare ones"
    fair = "val_balanced_accuracy" if kind is CLASSIFICATION else "val_macro_f1"
    sampling = " or data.balance: 1" if kind is CLASSIFICATION else ""
    return Fault(
        "balance",
        f"{large!r} has {most} training images, {small!r} {least} ({ratio}), and {hidden}",
        f"use objectives: [{fair}], and loss.class_weights: balanced{sampling}",
    )
