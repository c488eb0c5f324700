"""The loss."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import NotNegative, Part


class LossConfig(Part):
    """The loss of the task: over a softmax for one label an image, over a sigmoid a class for several."""

    name: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: NotNegative = 2.0
    """Of the focal loss alone: how much less images count that are answered rightly and surely; 0 is the
    cross-entropy (Lin et al. 2017, arXiv 1708.02002)."""
    class_weights: Literal["none", "balanced", "effective"] = "none"
    """Weight of a class by its training images n: `balanced` is inverse to n, 1 in the mean over the images;
    `effective` is inverse to the effective number of samples (1 - beta**n) / (1 - beta), 1 in the mean over the classes
    (Cui et al. 2019, arXiv 1901.05555)."""
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Of the effective number alone; 0 weighs all classes alike."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
