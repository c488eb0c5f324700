"""How many steps a training takes, and after which of them it reports."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from isoflop.config import Axis, TrainConfig, TrialConfig
from isoflop.errors import TrialError

BACKWARD = 3
"""FLOPs of a training step over those of its forward pass: the backward pass is counted as two forward passes."""
FROZEN = 1
"""The same where the head alone is trained: nothing goes back through the body, and the head's own share, a few
thousandths, is left out."""

RECOMPUTED = 4
"""The same where the body's blocks are computed again for the backward pass. What stands before and behind them is
not, but counted as if it were: a few hundredths of most nets."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that see images of one size, and so cost the same."""

    begins: float
    """The share of the steps after which it begins."""
    flops: float
    """FLOPs of one image's forward pass."""


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
    passes: float = BACKWARD
    """FLOPs of what a step does with the model over those of its forward pass: attacks are among them."""
    more: float = 0.0
    """FLOPs of what else a step does for each of its images: a teacher's forward pass."""
    stages: tuple[Stage, ...] = ()
    """Where images grow: first those that cost least, last the one that costs `flops`; none where they do not."""

    @classmethod
    def of_trial(
        cls,
        config: TrialConfig,
        *,
        images: int,
        flops: float,
        flops_at: Callable[[float], float],
        teachers: Mapping[str, float],
    ) -> Self:
        """The length of a configuration's training on so many images.

        `flops_at` counts the FLOPs of an image at a share of the model's resolution, where images grow, and `teachers`
        are those of each teacher's forward pass, by name. Raises `TrialError` as `of` does.
        """
        stages = [Stage(begins, flops if share == 1 else flops_at(share)) for begins, share in config.resize.plan()]
        more = teachers[config.distill.teacher] if config.distill.teacher else 0.0
        attacks = config.adversary.passes
        return cls.of(config.train, images=images, flops=flops, stages=stages, attacks=attacks, more=more)

    @classmethod
    def of(
        cls,
        train: TrainConfig,
        *,
        images: int,
        flops: float,
        stages: Sequence[Stage] = (),
        attacks: float = 0,
        more: float = 0.0,
    ) -> Self:
        """The length of a training on a split of so many images, of a model with so many FLOPs an image.

        Raises `TrialError` where the horizon has fewer steps than reports.
        """
        batch = min(train.batch_size, images)
        passes = _passes(train) + attacks
        epoch, costs = images // batch, stages or [Stage(0.0, flops)]
        steps = {
            Axis.EPOCHS: round(train.horizon * epoch),
            Axis.IMAGES: int(train.horizon // batch),
            Axis.FLOPS: _affordable(train.horizon, costs, batch=batch, passes=passes, more=more) if flops else 0,
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
            stages=tuple(stages),
        )

    def spent(self, step: int) -> float:
        """Training FLOPs after a step."""
        forward = _forward(step, self.steps, self.stages) if self.stages else self.flops * step
        return self.batch * (self.passes * forward + self.more * step)

    def stage(self, step: int) -> int:
        """Which stage a step, counted from 0, stands in; 0 where images do not grow."""
        return max(0, bisect_right(_begins(self.steps, self.stages), step) - 1)

    def fidelity(self, step: int) -> float:
        """Where a step stands on the fidelity's axis."""
        return {
            Axis.EPOCHS: step / self.epoch,
            Axis.IMAGES: float(step * self.batch),
            Axis.FLOPS: self.spent(step),
        }[self.axis]


def _begins(steps: int, stages: Sequence[Stage]) -> list[int]:
    """The step with which each stage begins."""
    return [round(stage.begins * steps) for stage in stages]


def _forward(step: int, steps: int, stages: Sequence[Stage]) -> float:
    """FLOPs of one image's forward pass, summed over the steps before one, of a training of `steps` steps."""
    ends = [*_begins(steps, stages)[1:], steps]
    lasting = [end - begin for begin, end in pairwise([0, *(min(step, end) for end in ends)])]
    return sum(stage.flops * number for stage, number in zip(stages, lasting, strict=True))


def _affordable(horizon: float, stages: Sequence[Stage], *, batch: int, passes: float, more: float) -> int:
    """The most steps whose FLOPs a horizon holds.

    A further step never lowers the sum: it moves the beginnings of stages by one step at most, and what they save
    together is less than the last stage costs over the first.
    """
    most = int(horizon // (batch * (passes * min(stage.flops for stage in stages) + more)))
    if len(stages) == 1:
        return most

    def spent(steps: int) -> float:
        return batch * (passes * _forward(steps, steps, stages) + more * steps)

    return bisect_right(range(most + 1), horizon, key=spent) - 1


def _passes(train: TrainConfig) -> int:
    """FLOPs of a step's own forward and backward pass over those of its forward pass."""
    if train.freeze:
        return FROZEN
    return RECOMPUTED if train.checkpointing else BACKWARD
