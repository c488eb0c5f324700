"""The learning rate over a training."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from isoflop.config.part import Count, Part, Share
from isoflop.errors import Fault, SpecError

Shape = Literal["cosine", "constant", "step", "exponential", "linear", "restarts", "onecycle", "wsd", "plateau"]


class ScheduleConfig(Part):
    """Learning rate as a function of the step, over a fixed horizon."""

    name: Shape = "cosine"
    """`restarts`: cosines one after another; `onecycle`: up and down along half a cosine each; `wsd`: warm-up, stable,
    decay; `plateau`: falls when the validation loss does not."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the horizon in which the rate climbs linearly from 0; of `onecycle`, the share in which it rises."""
    final: Share = 0.0
    """Rate at the end as a share of the peak; of `plateau`, the lowest."""
    drops: Count = 3
    """How often the rate of `step` falls, evenly spaced after the warm-up."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What a drop of `step` or `plateau` leaves of the rate."""
    cycles: Count = 3
    """How many cosines `restarts` has."""
    growth: Annotated[float, Field(ge=1, le=10)] = 1.0
    """Length of each cosine of `restarts` over that of the one before."""
    start: Share = 0.04
    """Rate that `onecycle` begins with as a share of the peak."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the horizon, at its end, in which the rate of `wsd` falls."""
    patience: Annotated[int, Field(ge=0)] = 1
    """Reports without a smaller validation loss that `plateau` puts up with; the next one lowers the rate."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name == "exponential" and not self.final:
            raise SpecError(Fault("final", "an exponential schedule never comes to 0", "give more than 0, say 0.01"))
        if self.name == "wsd" and self.warmup + self.decay > 1:
            text = f"{self.decay:g} and a warm-up of {self.warmup:g} are more than the whole horizon"
            raise SpecError(Fault("decay", text, "make one of them shorter"))
        return self
