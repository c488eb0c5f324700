"""How many steps a training takes, and after which of them it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from isoflop.config import AdversaryConfig, Axis, DistillConfig, TrainConfig
from isoflop.errors import TrialError

BACKWARD = 3
"""FLOPs of a training step over those of its forward pass: the backward pass is counted as two forward passes."""
RECOMPUTED = 4
"""The same where the body's blocks are computed again for the backward pass. What stands before and behind them is
not, but counted as if it were: a few hundredths of most nets."""
FROZEN = 1
"""The same where the head alone is trained: nothing goes back through the body, and the head's own share, a few
thousandths, is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """A training's fixed horizon in steps."""

    batch: int
    """Images of a step."""
    epoch: int
    """Steps of an epoch; images that do not fill a batch are left out."""
    steps: int
    reports: tuple[int, ...]
    """The steps after which it reports, ascending; the last is `steps`."""
    axis: Axis
    flops: float
    """FLOPs of one image's forward pass."""
    passes: int = BACKWARD
    """FLOPs of a step over those of its forward pass."""
    more: float = 0.0
    """What else a step does for each of its images, in FLOPs (`beside`)."""

    @classmethod
    def of(cls, train: TrainConfig, *, images: int, flops: float, more: float = 0.0) -> Self:
        """The length of a training on a split of so many images, of a model with so many FLOPs an image.

        Raises `TrialError` where the horizon has fewer steps than reports.
        """
        batch = min(train.batch_size, images)
        passes = _passes(train)
        epoch = images // batch
        steps = {
            Axis.EPOCHS: round(train.horizon * epoch),
            Axis.IMAGES: int(train.horizon // batch),
            Axis.FLOPS: int(train.horizon // ((passes * flops + more) * batch)) if flops else 0,
        }[train.axis]
        if steps < train.reports:
            raise TrialError(
                f"a horizon of {train.horizon:g} {train.axis} is {steps} steps of {batch} images for this model, "
                f"fewer than its {train.reports} reports"
            )
        reports = tuple(round(i * steps / train.reports) for i in range(1, train.reports + 1))
        return cls(
            batch=batch,
            epoch=epoch,
            steps=steps,
            reports=reports,
            axis=train.axis,
            flops=flops,
            passes=passes,
            more=more,
        )

    def spent(self, step: int) -> float:
        """Training FLOPs after a step."""
        return (self.passes * self.flops + self.more) * self.batch * step

    def fidelity(self, step: int) -> float:
        """Where a step stands on the fidelity's axis."""
        return {
            Axis.EPOCHS: step / self.epoch,
            Axis.IMAGES: float(step * self.batch),
            Axis.FLOPS: self.spent(step),
        }[self.axis]


def beside(adversary: AdversaryConfig, distill: DistillConfig, *, flops: float, teachers: Mapping[str, float]) -> float:
    """FLOPs that a training step does for each image beside its own forward and backward pass: attacks, and a teacher.

    `flops` are those of the model's forward pass, `teachers` those of each teacher's, by name.
    """
    return adversary.passes * flops + (teachers[distill.teacher] if distill.teacher else 0.0)


def _passes(train: TrainConfig) -> int:
    """FLOPs of a step over those of its forward pass."""
    if train.freeze:
        return FROZEN
    return RECOMPUTED if train.checkpointing else BACKWARD
