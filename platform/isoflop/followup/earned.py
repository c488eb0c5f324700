"""What trainings of a study came to on validation, read from its history and their stored answers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from isoflop.evaluation.predictions import load_predictions
from isoflop.journal.history import History
from isoflop.ranking import clipped
from isoflop.records import Key, State
from isoflop.statistics import Floats, Interval, hits_interval, interval
from isoflop.tasks import VAL, Kind, metric_of

ANSWERS: Final = f"{VAL}predictions"
"""The kind of file that stored answers on validation are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Earned:
    """The trainings of a study, judged by one metric."""

    history: History
    home: Path
    metric: str
    task: Kind

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        known = metric_of(self.metric)
        return -1 if known is not None and known.sign < 0 else 1

    def value(self, key: Key) -> float:
        """What a training came to; NaN for one that is not COMPLETE."""
        trial = self.history.trials.get(key)
        return trial.value(self.metric) if trial is not None and trial.state is State.COMPLETE else math.nan

    def done(self, number: int, replicates: int) -> list[int]:
        """The replicates of a trial that came to something."""
        return [one for one in range(replicates) if math.isfinite(self.value(Key(trial=number, replicate=one)))]

    @property
    def by_image(self) -> bool:
        """Whether single images can be scored: the metric is the share of hits, and all answers are stored."""
        complete = [key for key in self.history.trials if math.isfinite(self.value(key))]
        return self.metric == VAL + self.task.hit and all((key, ANSWERS) in self.history.artifacts for key in complete)

    def scores(self, number: int, replicates: Iterable[int]) -> Floats:
        """Of each training the score of each image, or its one value where single images cannot be scored.

        Raises `StateError` where stored answers are torn or gone.
        """
        keys = [Key(trial=number, replicate=one) for one in replicates]
        if not self.by_image:
            return np.asarray([[self.value(key)] for key in keys], dtype=np.float64)
        paths = [self.home / self.history.artifacts[key, ANSWERS]["path"] for key in keys]
        return np.asarray([load_predictions(path).hits for path in paths], dtype=np.float64)

    def interval(self, number: int, replicates: Iterable[int]) -> Interval:
        """What a trial came to, over seeds and where they can be scored images."""
        scores = self.scores(number, replicates)
        return hits_interval(scores > 0) if self.by_image else clipped(interval(scores[:, 0].tolist()), self.metric)

    def lost(self, number: int, replicates: int) -> str:
        """Why replicates of a trial came to nothing; empty where all did come to something, or may yet."""
        trials = (self.history.trials.get(Key(trial=number, replicate=one)) for one in range(replicates))
        ended = [trial for trial in trials if trial is not None and trial.state.final]
        reasons = [f"{one.state} {one.reason}".strip() for one in ended if not math.isfinite(self.value(one.key))]
        return "; ".join(dict.fromkeys(reason.splitlines()[0] for reason in reasons))


def numbers(interval: Interval) -> dict[str, Any]:
    """An interval as JSON values; what is not known is null."""
    ends = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return {name: value if math.isfinite(value) else None for name, value in ends.items()}
