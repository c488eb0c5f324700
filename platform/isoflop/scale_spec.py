"""How families are scaled: the `scale:` part of a study."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from isoflop.config import Count, Part, Positive
from isoflop.errors import Fault, SpecError

STEP = 0.5
"""Of phi, from one size of a climb to the next."""
FEWEST = 7
"""Sizes that a power law is fitted to before it predicts the next."""
Rule = Literal["learning_rate", "weight_decay", "drop_path", "dropout"]
Grown = Literal["depth", "width", "resolution"]
Below1 = Annotated[float, Field(gt=0, lt=1)]


class ScaleSpec(Part):
    """Shapes near equal-FLOP surfaces are trained and fitted; then larger ones are climbed to, predicted, and trained.

    Sizes are phi = 0, 0.5, ... up to `largest`; a model of phi costs `base_flops` * 2**phi counted FLOPs an image.
    """

    base_flops: Positive | None = None
    """FLOPs of one image's forward pass at phi = 0; none means what each family's base costs."""
    vary: Annotated[tuple[Grown, ...], Field(min_length=1)] = get_args(Grown)
    """What grows; the others stay as the base has them."""
    arm: Annotated[float, Field(ge=1.2, le=8)] = 2.5
    """What a shape of the fit that is put off the middle has more of, as a factor of the FLOPs that a dimension brings.
    Longer arms tell more of how the error is curved; the surface must be a bowl as far as they reach."""
    doublings: Annotated[int, Field(ge=3, le=8)] = 3
    """Doublings of FLOPs from the first to the last surface that shapes are fitted on."""
    fit_seeds: Count = 2
    """Trainings of each shape on those surfaces."""
    largest: Annotated[float, Field(ge=STEP, le=12)] = 4.0
    """The largest phi that is climbed to."""
    seeds: Count = 3
    """Trainings of each size of the climb, of each control and of each share of the data."""
    predicted: Annotated[int, Field(ge=0, le=8)] = 2
    """How many of the largest sizes are predicted before they are trained."""
    controls: Annotated[int, Field(ge=0, le=8)] = 2
    """At how many of the largest sizes all is put into depth, width or resolution, or grows by the published constants,
    to be compared at equal FLOPs."""
    shares: tuple[Below1, ...] = ()
    """Shares of the training images on which each family's base is trained as well, as long as on all of them."""
    latency: bool = True
    """Whether the latency of each size and control is measured, each alone on the machine."""
    rules: tuple[Rule, ...] = get_args(Rule)
    """What of the recipe follows the size of a net, each by its rule (`scaling/rules.py`)."""

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.largest % STEP:
            raise SpecError(Fault("largest", f"{self.largest:g} is no multiple of {STEP:g}", "phi grows in half steps"))
        known = len(self.sizes) - self.predicted
        if self.predicted and known < FEWEST:
            what = f"{self.predicted} of {len(self.sizes)} sizes leaves {known} to predict from, fewer than {FEWEST}"
            least = (FEWEST + self.predicted - 1) * STEP
            raise SpecError(Fault("predicted", what, f"set scale.largest to {least:g} or more, or scale.predicted: 0"))
        return self

    @property
    def sizes(self) -> tuple[float, ...]:
        """Every phi of the climb, ascending."""
        return tuple(step * STEP for step in range(round(self.largest / STEP) + 1))
