"""Adversarial training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isoflop.config.part import Count, Part, Positive

GRADIENT = 2
"""Forward passes that the gradient of a loss by the image costs: there, and back through activations alone."""


class AdversaryConfig(Part):
    """Images of a training batch are changed so that the net does worse on them, within a bound.

    Attacks are made against the net in evaluation mode, so that its batch norms keep their statistics and nothing is
    dropped while they are made (Pang et al. 2021, arXiv 2010.00467, compare both); the step is then one on the changed
    images in training mode.
    """

    name: Literal["none", "fgsm", "pgd"] = "none"
    """`fgsm`: one step along the gradient's sign (Goodfellow et al. 2015, arXiv 1412.6572). `pgd`: several, each back
    into the bound (Madry et al. 2018, arXiv 1706.06083)."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 8 / 255
    """How far a pixel's value in 0..1 may be moved; it stays in 0..1."""
    steps: Count = 7
    """Steps of `pgd`; `fgsm` takes one."""
    step_size: Positive | None = None
    """How far a step moves a pixel's value. None means 1.25 epsilon for `fgsm`, as Wong et al. 2020 (arXiv 2001.03994)
    found it, or epsilon where it starts at the image, and 2.5 epsilon / steps for `pgd`, so that it can come from one
    end of the bound to the other."""
    random_start: bool = True
    """Begin anywhere within the bound, not at the image itself: without it training by `fgsm` tends to learn to spoil
    the attack's gradient instead of withstanding it."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the images of a piece of the batch that are attacked, rounded up; the others stay as they are."""

    @property
    def turns(self) -> int:
        """How often the gradient is asked for: 0 where nothing is attacked."""
        return {"none": 0, "fgsm": 1, "pgd": self.steps}[self.name]

    @property
    def stride(self) -> float:
        """How far a step moves a pixel's value."""
        if self.step_size is not None:
            return self.step_size
        if self.name == "fgsm":
            return 1.25 * self.epsilon if self.random_start else self.epsilon
        return 2.5 * self.epsilon / self.steps

    @property
    def passes(self) -> float:
        """Forward passes of the net that attacks add to a training step, for each of its images."""
        return GRADIENT * self.turns * self.share
