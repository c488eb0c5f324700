"""Which images a training sees first."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from isoflop.config.part import Count, Part
from isoflop.errors import Fault, SpecError

GIVEN = "curriculum.given"
"""The key under which difficulties are named."""


def _given(name: str) -> str:
    """A name of difficulties, or none. Raises `SpecError`."""
    if name and not re.fullmatch(r"[0-9a-f]{16}", name):
        what = f"{name!r} is no name of difficulties"
        raise SpecError(Fault("", what, "give the 16 digits that isoflop.data.difficulty.keep returned"))
    return name


class CurriculumConfig(Part):
    """Easy images first (Bengio et al. 2009; Hacohen & Weinshall 2019, arXiv 1904.03626), each class in its share."""

    start: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the training images, the easiest, that the first steps draw from; 1 means no curriculum."""
    until: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the horizon after which all are drawn from."""
    stages: Count = 8
    """Equal steps in which the share grows from `start` to all."""
    by: Literal["distance", "given"] = "distance"
    """What makes an image difficult: its distance to the mean image of its class, or a number given for it."""
    given: Annotated[str, AfterValidator(_given)] = ""
    """Of given numbers, the name under which `isoflop.data.difficulty.keep` stored them: a hash of their values."""
