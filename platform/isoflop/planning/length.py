"""How long a proposed training is, by what its model costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isoflop.config import TrialConfig
from isoflop.length import Length
from isoflop.plan import Price


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """The lengths of trainings on one data set."""

    images: int
    """Training images."""
    price: Price
    teachers: Mapping[str, float]
    """FLOPs of one image's forward pass of each net that trials learn from, by its name."""

    def of(self, config: TrialConfig, flops: float) -> Length:
        """The length of a configuration's training, its model costing so many FLOPs an image.

        Raises `TrialError` for a horizon shorter than its reports, `SpecError` where the model does not take images as
        small as the configuration asks.
        """

        def flops_at(share: float) -> float:
            return self.price(config.model, batch=config.train.piece, states=config.copies, share=share).flops

        images = config.data.images(self.images)
        return Length.of_trial(config, images=images, flops=flops, flops_at=flops_at, teachers=self.teachers)

    def image(self, config: TrialConfig, flops: float) -> tuple[float, float]:
        """FLOPs that training on one image takes, on average over the horizon, its model costing so many.

        The first is what the model does, the second what its teacher does. Raises what `of` does.
        """
        length = self.of(config, flops)
        return length.spent(length.steps) / (length.steps * length.batch) - length.more, length.more
