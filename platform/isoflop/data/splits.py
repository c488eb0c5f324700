"""Which images train, which validate, which test: stratified, and the same for ever for a given seed.

Draws are raw 64-bit words of PCG64, whose stream numpy guarantees, so that no release of a library moves an image.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.data.source import SHARE, SPLITS, Item
from isoflop.data.stratification import NOTHING, by_labels
from isoflop.errors import DataError, Fault
from isoflop.seeds import derive

Places: TypeAlias = npt.NDArray[np.int64]
TRAIN: Final = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Shares of the images that validation and test take from train; 0 where the source has that split of its own."""

    val: float
    test: float

    @classmethod
    def of(cls, own: frozenset[str], val: float | None, test: float | None, usual_val: float = SHARE) -> Self:
        """What was asked for, else the usual. Raises `DataError` where it cannot be had."""
        faults = []
        for name, asked in (("val", val), ("test", test)):
            if asked is not None and name in own:
                faults.append(Fault(name, f"the source has a {name} split of its own", f"leave --{name} out"))
            elif asked is not None and not 0 < asked < 1:
                faults.append(Fault(name, f"{asked:g} is no share of the images", "give a number between 0 and 1"))
        found = cls(
            val=0.0 if "val" in own else usual_val if val is None else val,
            test=0.0 if "test" in own else SHARE if test is None else test,
        )
        if not faults and found.val + found.test >= 1:
            faults.append(Fault("val and test", "leave nothing to train on", "give shares that sum to less than 1"))
        if faults:
            raise DataError(*faults)
        return found


def split(items: Sequence[Item], shares: Shares, *, seed: int, classes: Sequence[str]) -> npt.NDArray[np.int8]:
    """The split of each item, as its index in `SPLITS`.

    An item's own split holds; the rest is train, of which validation and test take their shares: class by class, by
    iterative stratification where items have several classes, or group by group where there are groups. Raises
    `DataError` where a group straddles splits of its own, where a split comes out empty, or a class cannot be trained
    on.
    """
    found = np.array([SPLITS.index(item.split or "train") for item in items], np.int8)
    pool = np.flatnonzero(found == TRAIN)
    grouped = any(item.group is not None for item in items)
    if grouped:
        _check_groups(items)
    wanted = [(SPLITS.index(name), share) for name, share in (("test", shares.test), ("val", shares.val)) if share]
    for left, (place, share) in zip(range(len(wanted), 0, -1), wanted, strict=True):
        # Validation is drawn from what the test left, at the same share of the whole.
        rest = pool[found[pool] == TRAIN]
        part = Fraction(share).limit_denominator(10**6) * len(pool) / max(1, len(rest))
        where = derive(seed, "split", SPLITS[place])
        found[_drawn(items, rest, part, where, left, grouped=grouped)] = place
    _check_filled(items, found, classes)
    return found


def _drawn(items: Sequence[Item], pool: Places, share: Fraction, seed: int, left: int, *, grouped: bool) -> Places:
    """Which of the pool are drawn."""
    if grouped:
        return _by_groups(items, pool, share, seed)
    if any(isinstance(item.label, tuple) for item in items):
        return by_labels(items, pool, share, seed)
    return _by_classes(items, pool, share, seed, left)


def _by_classes(items: Sequence[Item], pool: Places, share: Fraction, seed: int, left: int) -> Places:
    """Which of the pool (indices of items) are drawn: of every class its share, the whole rounded once.

    `left` is how many splits are still to be drawn: a class that has an image for each of them and for train gives one.
    """
    labels = np.array([items[i].label for i in pool], np.int64)
    counts = Counter(labels.tolist())
    quotas = _quotas(counts, share, left)
    drawn = []
    for label in sorted(counts):
        members = pool[labels == label]
        order = np.argsort(np.random.PCG64(derive(seed, label)).random_raw(len(members)), kind="stable")
        drawn.append(members[order[: quotas[label]]])
    return np.sort(np.concatenate(drawn)) if drawn else pool[:0]


def _quotas(counts: Mapping[int, int], share: Fraction, left: int) -> dict[int, int]:
    """How many images each class gives, by largest remainders; never its last."""
    quotas = {label: math.floor(share * count) for label, count in counts.items()}
    missing = round(share * sum(counts.values())) - sum(quotas.values())
    by_remainder = sorted(counts, key=lambda label: (quotas[label] - share * counts[label], label))
    for label in by_remainder[:missing]:
        quotas[label] += 1
    return {label: min(max(quota, int(counts[label] > left)), counts[label] - 1) for label, quota in quotas.items()}


def _by_groups(items: Sequence[Item], pool: Places, share: Fraction, seed: int) -> Places:
    """Which of the pool are drawn, whole groups at a time, so that every class comes near its share.

    Groups that fit are taken, large ones first; then the one that helps most, also where it is too large.
    """
    members: dict[str, list[int]] = {}
    for i in pool.tolist():
        members.setdefault(_group(items[i]), []).append(i)
    inside = {group: _classes(items, found) for group, found in members.items()}
    wanted = {label: share * count for label, count in _classes(items, pool.tolist()).items()}
    order = sorted(members, key=lambda name: (-len(members[name]), derive(seed, name), name))
    given: Counter[int] = Counter()
    drawn: list[str] = []
    room = share * len(pool)
    for group in order:
        if len(members[group]) <= room and _gain(inside[group], given, wanted) > 0:
            drawn.append(group)
            given.update(inside[group])
            room -= len(members[group])
    taken = set(drawn)
    over = [group for group in order if group not in taken]
    best = max(over, key=lambda group: _gain(inside[group], given, wanted), default=None)
    if best is not None and len(over) > 1 and (not drawn or _gain(inside[best], given, wanted) > 0):
        drawn.append(best)
    return np.sort(np.array([i for group in drawn for i in members[group]], np.int64))


def _classes(items: Sequence[Item], places: Sequence[int]) -> Counter[int]:
    """Images of each class; those that have none are a class of their own."""
    return Counter(label for i in places for label in items[i].classes or (NOTHING,))


def _gain(inside: Mapping[int, int], given: Mapping[int, int], wanted: Mapping[int, Fraction]) -> Fraction:
    """By how much a group brings the classes nearer to what is wanted: the fall of squared shares, summed exactly."""
    gain = Fraction(0)
    for label, count in inside.items():
        short = wanted[label] - given.get(label, 0)
        gain += (short**2 - (short - count) ** 2) / wanted[label] ** 2
    return gain


def _group(item: Item) -> str:
    """An item's group; one without is a group of itself."""
    return f"group {item.group}" if item.group is not None else f"item {item.key}"


def _check_groups(items: Sequence[Item]) -> None:
    seen: dict[str, str] = {}
    for item in items:
        if item.group is not None and seen.setdefault(item.group, item.split or "train") != (item.split or "train"):
            what = f"stands in {seen[item.group]} and in {item.split or 'train'}"
            raise DataError(Fault(f"group {item.group!r}", what, "give all of its rows one split"))


def _check_filled(items: Sequence[Item], found: npt.NDArray[np.int8], classes: Sequence[str]) -> None:
    """Raises `DataError` where a split is empty or a class is not in train."""
    faults = [
        Fault("splits", f"{name} is empty ({len(items)} images)", "give more images, or groups that are smaller")
        for place, name in enumerate(SPLITS)
        if not (found == place).any()
    ]
    trained = _classes(items, np.flatnonzero(found == TRAIN).tolist())
    faults += [
        Fault(f"class {name!r}", "has no readable image to train on", "add images of it, or take it away")
        for label, name in enumerate(classes)
        if not trained[label]
    ]
    if faults:
        raise DataError(*faults[:5])
