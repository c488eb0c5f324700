"""The average of weights over a training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import Part, Positive, Share


class AverageConfig(Part):
    """Averaged weights, which validation, test and the saved weights then stand on."""

    name: Literal["none", "ema", "swa"] = "none"
    """`ema`: an exponential average over all steps; `swa`: the plain average of weights taken at equal distances
    (Izmailov et al. 2018, arXiv 1803.05407)."""
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """What `ema` keeps of itself at a step; less in the beginning, after s steps at most 1 - (1 + s)^(-2/3)."""
    start: Share = 0.75
    """Share of the horizon after which `swa` begins."""
    every: Positive = 1.0
    """Epochs from one to the next of the weights that `swa` averages, counted back from the horizon."""
