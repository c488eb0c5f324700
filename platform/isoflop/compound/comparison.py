"""Families side by side: what error each has at equal FLOPs, or at equal measured latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from isoflop.compound.findings import Findings, curve, span
from isoflop.fitting.band import Band

PLACES = 5
"""From the first to the last that all have been trained around, each as many times the one before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What several families come to at one place."""

    axis: str
    place: float
    """FLOPs of an image, or milliseconds."""
    errors: Mapping[str, Band]
    """The expected error of each family there, with its 95 % band."""

    @property
    def best(self) -> str | None:
        """The family that is better than each other; none where one of the differences may be 0."""
        first, *others = sorted(self.errors, key=lambda name: self.errors[name].value)
        apart = all(self.errors[first].minus(self.errors[other]).high < 0 for other in others)
        return first if apart else None


def compared(found: Findings, axis: str) -> list[Compared]:
    """The families that have a curve, at places where all of them were trained; empty where fewer than two do."""
    known = {family.name: fitted for family in found.families if not isinstance(fitted := curve(family, axis), str)}
    reach = [span(family, axis) for family in found.families if family.name in known]
    if len(known) < 2 or (low := max(low for low, _ in reach)) >= (high := min(high for _, high in reach)):
        return []
    places = np.clip(np.geomspace(low, high, PLACES), low, high)
    return [
        Compared(axis=axis, place=x, errors={name: fitted.predict(x) for name, fitted in known.items()})
        for x in map(float, places)
    ]
