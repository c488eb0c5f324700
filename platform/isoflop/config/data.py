"""The data."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from isoflop.config.part import Name, Part, Share
from isoflop.errors import Fault, SpecError


class DataConfig(Part):
    """The prepared data set that a training reads, and which of its images."""

    name: Name
    digest: str = ""
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the training images that is trained on: stratified, every smaller share inside every larger one, and
    the same for all seeds. Validation and test stay whole."""
    balance: Share = 0.0
    """How evenly an epoch sees the classes: 0 as often as they have images, 1 all equally often, between them by the
    power 1 - balance of their images. An epoch sees as many images as there are; of a rare class it sees each several
    times, of a common one not all."""
    folds: Annotated[int, Field(ge=0, le=100)] = 0
    """Parts into which the prepared training and validation images are cut for cross-validation; 0 for none."""
    fold: Annotated[int, Field(ge=0)] = 0
    """The fold that validates, counted from 0; the others train."""
    window: Annotated[int, Field(ge=0)] | None = None
    """Images that are mixed with each other in an epoch, read in blocks one after the other: for a set that memory
    does not hold. None leaves it to the prepared set: one that was prepared in shards is read by them, any other as
    a whole; 0 means as a whole."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        wrong = []
        if self.folds == 1:
            wrong.append(Fault("folds", "1 fold leaves nothing to train on", "give 2 or more, or 0 for none"))
        if self.fold >= max(1, self.folds):
            what = f"there is no fold {self.fold} of {self.folds}, counted from 0"
            wrong.append(Fault("fold", what, f"give 0 to {self.folds - 1}" if self.folds else "set data.folds too"))
        if wrong:
            raise SpecError(*wrong)
        return self

    @property
    def validation(self) -> str:
        """What validates, in words."""
        return f"val, fold {self.fold} of {self.folds}" if self.folds else "val"

    def images(self, train: int) -> int:
        """Images that are trained on, of so many in the training split."""
        return self.taken(self.fraction, train)

    @staticmethod
    def taken(fraction: float, images: int) -> int:
        """How many images a fraction is: rounded, and never none."""
        return max(1, math.floor(fraction * images + 0.5))
