"""Which order a configuration asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch

from isoflop.config import CurriculumConfig, TrialConfig
from isoflop.data.difficulty import Values, distances, given
from isoflop.data.feed import Feed
from isoflop.data.labels import strata_of
from isoflop.data.nested import nested
from isoflop.data.order import Balanced, Curriculum, Order, Shuffled, Windowed
from isoflop.data.portion import Portion
from isoflop.data.prepared import PreparedData
from isoflop.data.readahead import fetcher
from isoflop.errors import DataError, Fault

SHARDS: Final = 8
"""Shards that are mixed with each other where the configuration says nothing."""
BLOCK: Final = 8
"""Blocks of a window where the set was not prepared in shards."""


def order_of(prepared: PreparedData, feed: Feed, config: TrialConfig, *, steps: int, difficulties: Path) -> Order:
    """The order of a training of so many steps; given difficulties stand in a folder.

    Raises `DataError` where a set in shards is to be read anywhere, `UnknownError` where there are no difficulties.
    """
    window = windowed(prepared, config)
    if window:
        block = prepared.manifest.shard or max(1, window // BLOCK)
        fetch = fetcher(prepared, feed.portion)
        return Windowed(len(feed.portion), block=min(block, window), window=window, fetch=fetch, device=feed.home)
    if config.curriculum.start < 1:
        hard = _difficulty(prepared, feed.portion, config, difficulties)
        easiest = nested(strata_of(feed.portion.labels), hard)
        until = round(config.curriculum.until * steps)
        return _curriculum(torch.from_numpy(easiest), config.curriculum, until, feed.home)
    if config.data.balance:
        if feed.labels.ndim > 1:
            what = f"{config.data.balance:g} needs one label an image, and {prepared.name} has several"
            raise DataError(Fault("data.balance", what, "set it to 0, and use loss.class_weights: balanced"))
        return Balanced(torch.from_numpy(np.array(feed.portion.labels)), config.data.balance, feed.home)
    return Shuffled(len(feed.portion), feed.home)


def windowed(prepared: PreparedData, config: TrialConfig) -> int:
    """Images that are mixed at a time, 0 where the set is read as a whole.

    Raises `DataError` where shards are read but balance or a curriculum asks for images anywhere.
    """
    if config.data.window is not None:
        return config.data.window
    if prepared.manifest.shard and (config.data.balance or config.curriculum.start < 1):
        what = "is read in shards, and balance or a curriculum asks for images anywhere"
        raise DataError(Fault(f"data set {prepared.name}", what, "set data.window: 0 to read it as a whole"))
    return SHARDS * prepared.manifest.shard


def _curriculum(easiest: torch.Tensor, config: CurriculumConfig, until: int, device: torch.device) -> Curriculum:
    return Curriculum(easiest, start=config.start, until=until, stages=config.stages, device=device)


def _difficulty(prepared: PreparedData, found: Portion, config: TrialConfig, folder: Path) -> Values:
    """The difficulty of each image of a portion."""
    if config.curriculum.by == "given":
        sizes = {name: prepared.manifest.sizes[name] for name in found.parts}
        values = given(config.curriculum.given, folder, sizes)
    else:
        parts = [prepared.split(name) for name in found.parts]
        values = np.concatenate([distances(images, strata_of(labels)) for images, labels in parts])
    return values if found.places is None else values[found.places]
