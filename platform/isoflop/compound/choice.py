"""Which family and shape to take for a budget, and how good it will be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import linear_regression
from typing import Any, Literal

from isoflop.compound.findings import Family, Findings
from isoflop.config import ModelConfig
from isoflop.errors import Fault, InputError, SpecError, TrialError
from isoflop.fitting.band import Band
from isoflop.fitting.power_law import PowerLaw
from isoflop.planning.scaling.ascent import Ascent

Quantity = Literal["flops", "parameters", "latency", "hours"]
BEYOND = 2.0
"""Doublings of FLOPs over the largest size that was trained, up to which a shape is proposed."""
FINE = 16
"""Steps in which phi rises by 1 as the largest affordable is looked for."""
SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """The largest size of a family that a budget affords."""

    family: str
    phi: float
    model: ModelConfig
    flops: float
    parameters: int
    latency: float | None
    """Milliseconds, read off what was measured; none where nothing was."""
    hours: float | None
    """Of one training as long as the study's, read off what was measured."""
    error: Band
    extrapolated: bool
    """Whether it is larger than all that was trained."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"model": self.model.model_dump(mode="json")}


def candidates(found: Findings, budget: Mapping[Quantity, float]) -> list[Candidate]:
    """The largest affordable size of each family, the smallest expected error first.

    Raises `InputError` where no family has one.
    """
    known: list[Candidate] = []
    reasons: list[Fault] = []
    for family in found.families:
        size = _largest(found, family, budget)
        if isinstance(size, str):
            reasons.append(Fault(f"family {family.name}", size, "raise the budget, or scale a smaller base"))
        else:
            known.append(size)
    if not known:
        raise InputError(*reasons)
    return sorted(known, key=lambda one: one.error.value)


def _largest(found: Findings, family: Family, budget: Mapping[Quantity, float]) -> Candidate | str:
    """The largest size within a budget, or why there is none."""
    if isinstance(family.law, str):
        return family.law
    sizes = _Sizes(found, family, family.law)
    low, high = 0, round((found.plan.scale.largest + BEYOND) * FINE)
    if (over := sizes.broken(0.0, budget)) is not None:
        return f"its smallest size breaks the budget: {over}"
    while high - low > 0:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sizes.broken(middle / FINE, budget) is None else (low, middle - 1)
    return sizes.at(low / FINE)


class _Sizes:
    """The sizes on a family's line, with what they cost."""

    def __init__(self, found: Findings, family: Family, law: PowerLaw) -> None:
        assert isinstance(family.ascent, Ascent), "sizes were trained, so there is a line"
        self.found, self.family, self.law, self.climb = found, family, law, family.ascent.climb
        (self._base,) = (course.base for course in found.plan.courses if course.family == family.name)
        self._latency = _power((one.flops, one.latency) for one in family.climb)
        self._speed = _power((one.flops, one.images_per_second) for one in family.climb)
        self._made: dict[float, Candidate | str] = {}

    def at(self, phi: float) -> Candidate | str:
        """The size of a phi, or why there is none."""
        if phi not in self._made:
            self._made[phi] = self._at(phi)
        return self._made[phi]

    def broken(self, phi: float, budget: Mapping[Quantity, float]) -> str | None:
        """What of a budget a size breaks, none where it keeps it."""
        size = self.at(phi)
        if isinstance(size, str):
            return size
        for name, limit in budget.items():
            value: float | None = getattr(size, name)
            if value is None:
                return f"its {name} was not measured"
            if value > limit:
                return f"{name} {value:.4g} > {limit:g}"
        return None

    def _at(self, phi: float) -> Candidate | str:
        plan = self.found.plan
        try:
            placement = self.climb.at(phi)
            flops = placement.extent.flops
            config = self._base.model_copy(update={"model": placement.model})
            length = plan.lengths.of(config, flops)
        except (SpecError, TrialError) as error:
            return str(error)
        speed = self._speed(flops)
        return Candidate(
            family=self.family.name,
            phi=phi,
            model=placement.model,
            flops=flops,
            parameters=plan.price(placement.model, batch=1, states=1).parameters,
            latency=self._latency(flops),
            hours=None if speed is None else length.steps * length.batch / speed / SECONDS,
            error=self.law.predict(flops),
            extrapolated=phi > plan.scale.largest,
        )


def _power(points: Iterable[tuple[float, float | None]]) -> Callable[[float], float | None]:
    """A power law through measured points, by least squares of the logarithms; nothing where fewer than 2 are known."""
    known = [(x, y) for x, y in points if y]
    if len(known) < 2:
        return lambda _: None
    slope, height = linear_regression([math.log(x) for x, _ in known], [math.log(y) for _, y in known])
    return lambda x: math.exp(height + slope * math.log(x))
