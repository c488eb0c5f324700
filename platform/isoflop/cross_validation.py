"""Cross-validation: one configuration trained on every fold of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.config import TrialConfig
from isoflop.errors import Fault, SpecError
from isoflop.records import Record
from isoflop.statistics import Interval, interval
from isoflop.trial import run_trial

if TYPE_CHECKING:  # whoever names no device needs no torch here
    import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossValidation:
    """What a configuration earns on each fold of its data."""

    config: TrialConfig
    seed: int
    records: tuple[Record, ...]
    """The last record of each fold's training, in the order of the folds."""

    @property
    def values(self) -> Mapping[str, tuple[float, ...]]:
        """Each metric's values, one a fold."""
        return {name: tuple(one.metrics[name] for one in self.records) for name in self.records[0].metrics}

    def interval(self, metric: str, level: float = 0.95) -> Interval:
        """A metric's mean over the folds, and where that of such trainings lies.

        Folds are not independent: any two trainings share most of their images, and each image that validates one
        trains the others. No unbiased estimate of the variance of their mean exists (Bengio & Grandvalet 2004, JMLR 5).
        What is given is Student's t-interval with Nadeau & Bengio's correction (2003, Machine Learning 52): the
        variance between folds times 1/k + 1/(k - 1) instead of 1/k. It was derived for repeated random splits and is
        a rule of thumb here, mostly too wide rather than too narrow. It speaks of trainings on (k - 1)/k of the images
        with this seed, not of other seeds.
        """
        folds = len(self.records)
        return interval(self.values[metric], level, overlap=1 / (folds - 1))


def cross_validate(
    config: TrialConfig,
    seed: int = 0,
    *,
    folds: int = 5,
    data: Path | None = None,
    weights: Mapping[str, Path] | None = None,
    device: torch.device | None = None,
) -> CrossValidation:
    """Train a configuration on every fold: each validates once, while the others train. The test split is left alone.

    The prepared training and validation images are pooled and cut as `data.folds` says. `data`, `weights` and `device`
    are as `run_trial` takes them, and what it raises is raised; `SpecError` where the configuration names a fold.
    """
    if config.data.folds:
        what = f"the configuration is one fold of {config.data.folds} already"
        raise SpecError(Fault("data.folds", what, "leave data.folds and data.fold out"))
    records = []
    for fold in range(folds):
        made = TrialConfig.from_params({**config.params(), "data.folds": folds, "data.fold": fold})
        *_, last = run_trial(made, seed, data=data, weights=weights, device=device)
        records.append(last)
    return CrossValidation(config=config, seed=seed, records=tuple(records))
