"""The images that a run's stored answers are on: where they came from, what they look like, and how they are sliced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from isoflop.analysis.appearance import STATISTICS, measure
from isoflop.analysis.mistakes import of_each_class
from isoflop.analysis.slices import Slicing, of_quantiles, read_slices
from isoflop.config import DataConfig
from isoflop.data.portion import Portion, portion
from isoflop.data.prepared import PreparedData, open_prepared
from isoflop.errors import Fault, InputError, IsoflopError, did_you_mean
from isoflop.evaluation.predictions import Predictions
from isoflop.journal.history import History
from isoflop.outcome import key_of
from isoflop.records import State
from isoflop.tracking.store import Store

CLASS: Final = "class"
"""The way to slice that every set has."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Stored answers of a run with the images that they are on."""

    run: str
    predictions: Sequence[Predictions]
    """One a seed, all on the same images; of a cross-validation one, each image answered by the net that did not see
    it."""
    classes: Sequence[str]
    prepared: PreparedData | None
    """The prepared set, none where it is gone or another one by now."""
    portions: Sequence[Portion]
    """The images of the prepared set, one portion after the other."""

    @cached_property
    def keys(self) -> Sequence[str]:
        """Where each image came from; its place where the prepared set is gone or another one by now."""
        images = len(self.predictions[0].labels)
        if self.prepared is None:
            return [str(place) for place in range(images)]
        found: list[str] = []
        for one in self.portions:
            stored = [key for part in one.parts for key in self.prepared.keys(part)]
            found += stored if one.places is None else [stored[place] for place in one.places.tolist()]
        return found

    def slices(self, ways: Sequence[str], table: Path | None, parts: int) -> Mapping[str, Slicing]:
        """The slices of each way: `class`, a statistic of images cut into so many parts, or a column of a table.

        Without ways, those of the table's columns. Raises `InputError` for a way that there is not.
        """
        columns = read_slices(table, self.keys) if table is not None else {}
        return {way: columns[way] if way in columns else self._slicing(way, columns, parts) for way in ways or columns}

    def _slicing(self, way: str, columns: Mapping[str, Slicing], parts: int) -> Slicing:
        if way == CLASS:
            return of_each_class(self.predictions[0], self.classes)
        if way not in STATISTICS:
            known = (*columns, CLASS, *STATISTICS)
            raise InputError(Fault("by", f"images cannot be sliced by {way!r}", did_you_mean(way, known)))
        found = of_quantiles(self._measured(way), parts)
        if len(found) < 2:
            raise InputError(Fault("by", f"{way} is the same for all images", "slice by something else"))
        return found

    def _measured(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        if self.prepared is None:
            what = f"the images of {self.run} are gone, or other ones by now, and {name} is looked at in them"
            raise InputError(Fault("by", what, "prepare the data again as they were, or give --slices"))
        found = []
        for one in self.portions:
            values = np.concatenate([measure(name, self.prepared.split(part)[0]) for part in one.parts])
            found.append(values if one.places is None else values[one.places])
        return np.concatenate(found)


def answered(run: str, split: str, store: Store) -> Answered:
    """The stored answers of a run on a split.

    Raises `UnknownError` for an unknown run, `InputError` for one that left none, `StateError` for a torn file.
    """
    many = store.predictions(run, split)
    if not many:
        remedy = "finalists have them on both splits, COMPLETE trials of a search on val"
        raise InputError(Fault("run", f"{run} left no logits on {split}", remedy))
    study, key = key_of(run)
    history = store.history(study)
    folds = len({one.split for one in many}) > 1
    configs = _configs(history, key.trial)[: len(many) if folds else 1]
    prepared, portions = _images(history, split, configs)
    joined = [_joined(many)] if folds else many
    whole = sum(map(len, portions)) == len(joined[0].labels)
    return Answered(
        run=run,
        predictions=joined,
        classes=[row["class"] for row in store.report(run, split)["classes"]],
        prepared=prepared if whole else None,
        portions=portions if whole else (),
    )


def _configs(history: History, number: int) -> list[DataConfig]:
    """The data of each COMPLETE training of a trial, by replicate."""
    trials = sorted((trial for trial in history.trials.values() if trial.number == number), key=lambda one: one.key)
    name = str(history.study["data"]["name"])
    return [
        DataConfig(name=name, folds=trial.config.get("data.folds", 0), fold=trial.config.get("data.fold", 0))
        for trial in trials
        if trial.state is State.COMPLETE
    ]


def _images(
    history: History, split: str, configs: Sequence[DataConfig]
) -> tuple[PreparedData | None, Sequence[Portion]]:
    """The prepared set and what of it was answered, none where it is gone or another one by now."""
    data = history.study["data"]
    try:
        prepared = open_prepared(Path(data["path"]))
        if prepared.digest == data["digest"]:
            return prepared, [portion(prepared, split, config) for config in configs]
    except (IsoflopError, OSError):
        pass
    return None, ()


def _joined(folds: Sequence[Predictions]) -> Predictions:
    """The answers on all folds as those of one training."""
    return replace(
        folds[0],
        logits=np.concatenate([one.logits for one in folds]),
        labels=np.concatenate([one.labels for one in folds]),
        split="val, all folds",
        sha256="",
    )
