"""The loss."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from isoflop.config.part import Part


class LossConfig(Part):
    """The loss of the task."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
