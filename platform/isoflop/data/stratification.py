"""A share of images that may have several classes each, such that every class comes near its share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from isoflop.data.source import Item
from isoflop.seeds import derive

NOTHING = -1
"""Stands for a class of its own of the images that have none."""


def by_labels(items: Sequence[Item], pool: npt.NDArray[np.int64], share: Fraction, seed: int) -> npt.NDArray[np.int64]:
    """Which of the pool (indices of items) are drawn: iterative stratification (Sechidis et al. 2011, ECML PKDD).

    The rarest class that is left goes first. Each of its images goes to where more of the class is still wanted, of
    equals to where more images are. The first image of a class so stays where the larger share is.
    """
    places = pool.tolist()
    keys = np.random.PCG64(derive(seed, "images")).random_raw(len(places))
    rank = {place: int(key) for place, key in zip(places, keys, strict=True)}
    of_class: dict[int, list[int]] = {}
    for place in sorted(places, key=lambda place: (rank[place], place)):
        for label in items[place].classes or (NOTHING,):
            of_class.setdefault(label, []).append(place)
    shares = (1 - share, share)
    wanted = [{label: part * len(found) for label, found in of_class.items()} for part in shares]
    room = [part * len(places) for part in shares]
    left = {label: len(found) for label, found in of_class.items()}
    drawn: dict[int, bool] = {}
    while left:
        label = min(left, key=lambda label: (left[label], label))
        for place in of_class[label]:
            if place in drawn:
                continue
            side = int((wanted[1][label], room[1]) > (wanted[0][label], room[0]))
            drawn[place] = bool(side)
            room[side] -= 1
            for other in items[place].classes or (NOTHING,):
                wanted[side][other] -= 1
                left[other] -= 1
        left = {label: count for label, count in left.items() if count > 0}
    return np.sort(np.array([place for place, yes in drawn.items() if yes], np.int64))
