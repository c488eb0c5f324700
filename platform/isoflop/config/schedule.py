"""The learning rate over a training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import Part, Share


class ScheduleConfig(Part):
    """Learning rate as a function of the step, over a fixed horizon."""

    name: Literal["cosine", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the horizon in which the rate climbs linearly from 0."""
    final: Share = 0.0
    """Rate at the end as a share of the peak."""
