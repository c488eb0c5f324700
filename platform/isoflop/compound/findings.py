"""What a scaling study found, worked out from its journal alone: equal histories give equal findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean, median
from typing import TypeVar

import numpy as np

from isoflop.errors import SpecError
from isoflop.fitting.band import Band, Curve
from isoflop.fitting.crossing import Crossings, crossings
from isoflop.fitting.monotone import Monotone, fit_monotone
from isoflop.fitting.power_law import PowerLaw, fit_power_law
from isoflop.journal.history import History
from isoflop.planning.scaling.ascent import Ascent
from isoflop.planning.scaling.course import Course
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.planning.scaling.results import Results
from isoflop.planning.scaling.row import Row, Stage
from isoflop.scaling.placement import Placement

Law = TypeVar("Law")
PLACES = 60
"""At which a curve is drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A row and what came of it."""

    row: Row
    placement: Placement
    parameters: int
    errors: tuple[float, ...]
    """One a seed that was trained to its end."""
    latency: float | None
    """Milliseconds of a batch's forward pass, where it was measured."""
    images_per_second: float | None
    """Median over reports and seeds, as measured."""

    @property
    def flops(self) -> float:
        """Of one image's forward pass, as counted."""
        return self.placement.extent.flops

    @property
    def error(self) -> float:
        """Mean over seeds."""
        return fmean(self.errors)

    @property
    def missed(self) -> float | None:
        """By how much the error is above what was predicted, none where nothing was."""
        predicted = self.row.forecast.get("value")
        return None if predicted is None else self.error - predicted

    @property
    def inside(self) -> bool | None:
        """Whether it fell in the band that was predicted."""
        forecast = self.row.forecast
        return forecast["low"] <= self.error <= forecast["high"] if forecast else None


@dataclass(frozen=True, eq=False)
class Family:
    """What a study found of one family."""

    course: Course
    results: Results

    @property
    def name(self) -> str:
        """The family's."""
        return self.course.family

    @cached_property
    def ascent(self) -> Ascent | str | None:
        """What the shapes told, why they tell nothing, or none while they are being trained."""
        return self.course.ascent(self.results)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Everything that could be trained by now."""
        return tuple(self.course.rows(self.results))

    def trained(self, stage: Stage) -> list[Trained]:
        """The rows of a stage that have a result, in their order."""
        return [found for row in self.rows if row.stage is stage and (found := _trained(row, self.results))]

    @cached_property
    def climb(self) -> list[Trained]:
        """The sizes, ascending."""
        return self.trained(Stage.CLIMB)

    @cached_property
    def law(self) -> PowerLaw | str:
        """The error over FLOPs, of all sizes, or why there is none."""
        return _fitted(fit_power_law, [one.flops for one in self.climb], self.climb, self.results.floor)

    @cached_property
    def by_latency(self) -> Monotone | str:
        """The error over measured latency, or why there is none."""
        sizes = [one for one in self.climb if one.latency]
        return _fitted(fit_monotone, [one.latency or 0.0 for one in sizes], sizes, self.results.floor)

    @cached_property
    def by_share(self) -> Monotone | str:
        """The error over the share of the training data, or why there is none."""
        shares = self.trained(Stage.SHARE)
        return _fitted(fit_monotone, [one.row.place for one in shares], shares, self.results.floor)


@dataclass(frozen=True, eq=False)
class Findings:
    """What a study found."""

    study: str
    plan: ScalingPlan
    families: tuple[Family, ...]

    @property
    def metric(self) -> str:
        """What models were judged by."""
        return self.plan.spec.objectives[0].metric

    @cached_property
    def crossings(self) -> Mapping[tuple[str, str, str], Crossings]:
        """Where curves of two families cross, by their names and what they run over."""
        return dict(self._crossings())

    @property
    def numbers(self) -> dict[str, float]:
        """What is worth comparing between studies: each family's law, and by how much predictions missed."""
        found: dict[str, float] = {}
        for family in self.families:
            if isinstance(family.law, PowerLaw):
                found |= {f"{family.name}.law_{key}": getattr(family.law, key).value for key in ("a", "b", "c")}
            for one in family.climb:
                if one.missed is not None:
                    found[f"{family.name}.missed_{one.row.place:g}"] = one.missed
        return found

    def _crossings(self) -> Iterator[tuple[tuple[str, str, str], Crossings]]:
        for first, second in combinations(self.families, 2):
            for axis in ("flops", "latency", "share"):
                curves = [curve(family, axis) for family in (first, second)]
                reach = [span(family, axis) for family in (first, second)]
                low, high = max(low for low, _ in reach), min(high for _, high in reach)
                if not any(isinstance(one, str) for one in curves) and low < high:
                    known: list[Curve] = [one for one in curves if not isinstance(one, str)]
                    yield (first.name, second.name, axis), crossings(*known, low=low, high=high)


def findings(study: str, plan: ScalingPlan, history: History) -> Findings:
    """What a history tells."""
    results = plan.results(history)
    return Findings(study, plan, tuple(Family(course, results) for course in plan.courses))


def curve(family: Family, axis: str) -> Curve | str:
    """The error of a family over FLOPs, latency or the share of the data, or why there is none."""
    return {"flops": family.law, "latency": family.by_latency, "share": family.by_share}[axis]


def span(family: Family, axis: str) -> tuple[float, float]:
    """The ends of what was trained along an axis; an empty range where nothing was."""
    places = {
        "flops": [one.flops for one in family.climb],
        "latency": [one.latency for one in family.climb if one.latency],
        "share": [one.row.place for one in family.trained(Stage.SHARE)],
    }[axis]
    return (min(places), max(places)) if places else (math.inf, -math.inf)


def points(fitted: Curve, low: float, high: float) -> Iterator[tuple[float, Band]]:
    """A curve with its band, at places to draw it through."""
    for x in map(float, np.clip(np.geomspace(low, high, PLACES), low, high)):
        yield x, fitted.predict(x)


def _trained(row: Row, results: Results) -> Trained | None:
    """A row with its result, none where it has none."""
    errors, trials = results.errors(row), results.trials(row)
    if row.placement is None or not errors:
        return None
    speeds = [record.measured.get("images_per_second") for trial in trials for record in trial.records]
    known = [speed for speed in speeds if speed]
    return Trained(
        row=row,
        placement=row.placement,
        parameters=trials[0].parameters,
        errors=errors,
        latency=next((trial.latency for trial in trials if trial.latency is not None), None),
        images_per_second=median(known) if known else None,
    )


def _fitted(fit: Callable[..., Law], places: Sequence[float], sizes: Sequence[Trained], floor: float) -> Law | str:
    """A law through sizes, or why there is none."""
    try:
        return fit(places, [one.errors for one in sizes], floor=floor)
    except SpecError as error:
        return str(error)
