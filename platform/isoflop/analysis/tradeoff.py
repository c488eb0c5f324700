"""What has to be given up of one thing for another: the Pareto front of trials over any quantities, and its volume."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.config import parse
from isoflop.pareto import Direction, front, hypervolume
from isoflop.records import State, Trial
from isoflop.scores import violation
from isoflop.study_spec import Constraint, Objective


@dataclass(frozen=True, kw_only=True, slots=True)
class Tradeoff:
    """The trials that no other beats in every quantity."""

    quantities: tuple[str, ...]
    directions: tuple[Direction, ...]
    trials: tuple[Trial, ...]
    """By the first quantity, the best first."""
    candidates: int
    """COMPLETE trials with finite values that break no constraint."""
    reference: tuple[float, ...]
    """The worst value of each quantity among the candidates; NaN where there are none."""
    volume: float | None
    """Of the box between the best and the worst values of the candidates, the share that the front beats; none where a
    quantity is the same for all."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "quantities": dict(zip(self.quantities, self.directions, strict=True)),
            "candidates": self.candidates,
            "reference": dict(zip(self.quantities, self.reference, strict=True)),
            "hypervolume": self.volume,
            "front": [
                {"number": trial.number, **{name: trial.value(name) for name in self.quantities}}
                for trial in self.trials
            ],
        }


def tradeoff(trials: Iterable[Trial], quantities: Sequence[str], constraints: Sequence[Constraint] = ()) -> Tradeoff:
    """The front over metrics and costs, each in the direction that is better. Raises `SpecError` for another name."""
    directions = tuple(parse(Objective, {"metric": name}, "front").direction for name in quantities)
    fine = [one for one in trials if one.state is State.COMPLETE and not violation(one, one.reports, constraints)]
    values = np.asarray([[one.value(name) for name in quantities] for one in fine]).reshape(-1, len(quantities))
    known = np.isfinite(values).all(axis=1)
    found, values = [one for one, good in zip(fine, known, strict=True) if good], values[known]
    places = front(values, directions)
    signs = np.asarray([1.0 if one == "minimize" else -1.0 for one in directions])
    order = sorted(places.tolist(), key=lambda place: tuple(signs * values[place]))
    worst, best = (
        signs * pick(signs * values, axis=0) if len(values) else values.sum(axis=0) for pick in (np.max, np.min)
    )
    span = np.abs(worst - best)
    wide = bool(len(values) and (span > 0).all())
    return Tradeoff(
        quantities=tuple(quantities),
        directions=directions,
        trials=tuple(found[place] for place in order),
        candidates=len(found),
        reference=tuple(map(float, worst)) if len(values) else (math.nan,) * len(quantities),
        volume=hypervolume(values / span, directions, worst / span) if wide else None,
    )
