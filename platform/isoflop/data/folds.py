"""Folds for cross-validation: stratified, and the same for ever for a given seed.

Draws are raw words of PCG64 and sums are whole numbers, so that no release of a library moves an image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from isoflop.data.source import Labels
from isoflop.errors import DataError, Fault
from isoflop.seeds import derive

FINE: Final = 2**64
"""Parts in which squared shares of a class are counted."""


def folds(
    labels: Labels, count: int, *, seed: int, groups: Sequence[str | None] | None = None
) -> npt.NDArray[np.int64]:
    """The fold of each image, 0 to count - 1: of every class each fold has its share, up to one image.

    With `groups` (one an image, none for an image of its own) groups are dealt whole, the largest first, each into the
    fold where it disturbs the classes' balance least. Raises `DataError` where a fold would stay empty, or a class
    would be in one fold alone: then nothing of it could be trained on.
    """
    words = np.random.PCG64(derive(seed, "folds", count)).random_raw(len(labels))
    if groups is None or all(group is None for group in groups):
        found = np.empty(len(labels), np.int64)
        found[np.lexsort((words, labels))] = np.arange(len(labels)) % count
    else:
        found = _whole(labels, count, groups, words.tolist())
    _check(labels, found, count)
    return found


def _whole(labels: Labels, count: int, groups: Sequence[str | None], words: list[int]) -> npt.NDArray[np.int64]:
    """The fold of each image, its group staying together."""
    members: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        members.setdefault(f"item {at}" if group is None else f"group {group}", []).append(at)
    order = sorted(members.values(), key=lambda places: (-len(places), words[places[0]]))
    weights = {label: FINE // number**2 for label, number in Counter(labels.tolist()).items()}
    given = [Counter[int]() for _ in range(count)]
    found = np.empty(len(labels), np.int64)
    for places in order:
        inside = Counter(labels[places].tolist())
        fold = min(range(count), key=lambda one: (_disturbance(given[one], inside, weights), given[one].total(), one))
        given[fold].update(inside)
        found[places] = fold
    return found


def _disturbance(given: Counter[int], inside: Counter[int], weights: dict[int, int]) -> int:
    """By how much the sum of squared shares of the classes grows where a group comes into a fold."""
    return sum(weights[label] * number * (2 * given[label] + number) for label, number in inside.items())


def _check(labels: Labels, found: npt.NDArray[np.int64], count: int) -> None:
    """Raises `DataError` where the folds cannot be trained on."""
    table = np.zeros((int(labels.max()) + 1, count), np.int64)
    np.add.at(table, (labels, found), 1)
    faults = []
    if not table.any(0).all():
        what = f"{count} folds are more than {len(labels)} images, or their groups, can fill"
        faults.append(Fault("data.folds", what, "give fewer"))
    alone = [label for label, row in enumerate(table) if row.any() and (row > 0).sum() < 2]
    if alone:
        what = f"class {alone[0]} is in one fold alone, so that no image of it would train there"
        faults.append(Fault("data.folds", what, "give more images or groups of it"))
    if faults:
        raise DataError(*faults)
