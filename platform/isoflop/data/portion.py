"""Which images of a prepared set are a training's splits: its fraction, its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from isoflop.config import DataConfig
from isoflop.data.folds import folds
from isoflop.data.labels import strata_of
from isoflop.data.nested import drawn
from isoflop.data.prepared import PreparedData
from isoflop.data.source import Labels
from isoflop.data.splits import Places
from isoflop.errors import DataError, Fault

POOL: Final = ("train", "val")
"""What cross-validation cuts into folds; the test split is never in it."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some images of a prepared set, in their stored order."""

    parts: tuple[str, ...]
    """The stored splits that they stand in, one after the other."""
    labels: Labels
    places: Places | None = None
    """Where they stand in these, ascending; none means all."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)


def portion(prepared: PreparedData, split: str, config: DataConfig) -> Portion:
    """The images that a training's split consists of.

    With `data.folds` the prepared training and validation images are pooled: fold `data.fold` validates and the others
    train. `data.fraction` takes its share of what trains. The test split is what it is. Equal for all seeds. Raises
    `DataError` where folds or fraction leave too little.
    """
    if split in POOL and config.folds:
        labels = np.concatenate([prepared.split(name)[1] for name in POOL])
        inside = _folds(prepared, labels, config.folds) == config.fold
        places = np.flatnonzero(inside if split == "val" else ~inside)
        found = Portion(POOL, labels[places], places)
    else:
        found = Portion((split,), prepared.split(split)[1])
    return _share(found, prepared, config.fraction) if split == "train" and config.fraction < 1 else found


def _folds(prepared: PreparedData, labels: Labels, count: int) -> Places:
    groups = [group for name in POOL for group in prepared.groups(name)]
    return folds(strata_of(labels), count, seed=prepared.manifest.request.seed, groups=groups)


def _share(whole: Portion, prepared: PreparedData, fraction: float) -> Portion:
    """A share of a portion: every smaller share lies inside every larger one."""
    order = drawn(strata_of(whole.labels), prepared.manifest.request.seed)
    chosen = np.sort(order[: DataConfig.taken(fraction, len(whole))])
    _check(whole, chosen, fraction)
    return Portion(whole.parts, whole.labels[chosen], chosen if whole.places is None else whole.places[chosen])


def _check(whole: Portion, chosen: Sequence[int] | Places, fraction: float) -> None:
    """Raises `DataError` where a class is left without an image."""
    classes = len(np.unique(whole.labels)) if whole.labels.ndim == 1 else 1
    if len(chosen) < classes:
        what = f"{fraction:g} of {len(whole)} images are {len(chosen)}, fewer than the {classes} classes"
        raise DataError(Fault("data.fraction", what, f"give at least {classes / len(whole):.2g}"))
