"""Which images a training sees first."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import Count, Part


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
    given: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    """Of given numbers, the name under which `isoflop.data.difficulty.keep` stored them: a hash of their values."""
