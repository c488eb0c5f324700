"""The resolution at which steps train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from isoflop.config.part import Part


class ResizeConfig(Part):
    """Progressive resizing: the first steps train on smaller images (Tan & Le 2021, arXiv 2104.00298, section 4).

    Stage i of M trains at S_0 + (S - S_0) i / (M - 1) pixels a side, S being the model's resolution, rounded to what
    its stem takes. Validation is at S throughout.
    """

    start: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Pixels of a side in the first stage as a share of the model's resolution; 1 means no resizing."""
    until: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """Share of the steps after which the last stage begins; the stages before it are equally long."""
    stages: Annotated[int, Field(ge=2, le=64)] = 4
    """Stages, the last at the model's resolution among them."""

    def plan(self) -> Iterator[tuple[float, float]]:
        """The share of the steps after which each stage begins, and its share of the resolution; nothing at start 1."""
        if self.start < 1:
            for place in range(self.stages):
                grown = place / (self.stages - 1)
                yield self.until * grown, self.start + (1 - self.start) * grown
