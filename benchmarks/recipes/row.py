"""What a recipe did, and the small trainings that show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from isoflop.config import TrialConfig
from isoflop.statistics import Interval, interval
from isoflop.trial import Given, TrialRun


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One recipe beside the same training without it, on the same seeds."""

    recipe: str
    metric: str
    without: Interval
    with_it: Interval
    difference: Interval
    """Of the pairs, one a seed; a gain where it is above 0."""
    note: str
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the whole interval says that the recipe helps."""
        return self.difference.low > 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        parts = {"without": self.without, "with": self.with_it, "difference": self.difference}
        return {
            "recipe": self.recipe,
            "metric": self.metric,
            **{name: [part.mean, part.low, part.high] for name, part in parts.items()},
            "seeds": self.difference.n,
            "holds": self.holds,
            "note": self.note,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Lab:
    """Where recipes are tried."""

    folder: Path
    """Prepared data sets, weights, and what trainings leave."""
    seeds: Sequence[int]
    quick: bool

    def data(self, name: str) -> Path:
        """A prepared data set."""
        return self.folder / "data" / name

    def begin(self, seed: int, params: Mapping[str, Any], weights: Path | None = None) -> TrialRun:
        """A training; `weights` is the one file that its configuration names."""
        config = TrialConfig.from_params({"train.reports": 1, **params})
        files = {weights.stem: weights} if weights else None
        return TrialRun(config, seed, Given(data=self.data(config.data.name), weights=files or {}))

    def trained(self, seed: int, params: Mapping[str, Any], weights: Path | None = None) -> tuple[TrialRun, float]:
        """A training at its end, and its accuracy on validation."""
        run = self.begin(seed, params, weights)
        *_, last = run
        return run, last.metrics["val_accuracy"]


Recipe: TypeAlias = Callable[[Lab], Row]


def compared(recipe: str, metric: str, pairs: Sequence[tuple[float, float]], note: str) -> Row:
    """A row of pairs (without, with), one a seed; larger is better."""
    without, with_it = ([pair[place] for pair in pairs] for place in (0, 1))
    gains = [after - before for before, after in pairs]
    return Row(
        recipe=recipe,
        metric=metric,
        without=interval(without),
        with_it=interval(with_it),
        difference=interval(gains),
        note=note,
    )


def timed(recipe: Recipe, lab: Lab) -> Row:
    """A recipe's row with the time that it took."""
    began = time.perf_counter()
    return replace(recipe(lab), seconds=time.perf_counter() - began)
