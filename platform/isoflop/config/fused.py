"""A training that is one of several which run as one program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from isoflop.config.part import Count, Part
from isoflop.errors import Fault, SpecError
from isoflop.families import Scalar

SECTIONS = ("model", "data", "augment", "loss", "schedule", "curriculum", "resize", "fused")
"""Parts of a configuration that a fused program takes as they are."""
KEYS = (
    *(f"optim.{name}" for name in ("name", "lr", "momentum", "nesterov", "beta2", "weight_decay", "clip")),
    *(f"train.{name}" for name in ("batch_size", "axis", "horizon", "reports", "micro_batch", "threads")),
)
"""What it takes of the others; any other setting must be at its default."""
VALUES: Mapping[str, tuple[Scalar, ...]] = {
    "optim.name": ("sgd", "adamw"),
    "schedule.name": ("cosine", "constant", "step", "exponential", "linear", "restarts", "onecycle", "wsd"),
}
"""Where not every value will do."""
OWN = (
    *(f"optim.{name}" for name in ("lr", "momentum", "beta2", "weight_decay", "clip")),
    "schedule.",
    "augment.",
    "fused.place",
)
"""In what members of one program may differ, beside their seeds: keys, or how keys begin."""
SHARED = ("augment.mixup", "augment.cutmix")
"""In what they may not all the same: these decide what targets are, and those of all members are one tensor."""


class FusedConfig(Part):
    """Which member of a fused program a training is (`training/fused/`).

    Sums are ordered by how many members there are, so a fused training repeats as a fused one alone.
    """

    members: Count = 1
    """Trainings of one shape that run as one program; 1 means that this one runs alone."""
    place: Annotated[int, Field(ge=0)] = 0
    """Which of them it is, from 0."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of what all members draw in one go: dropout and drop-path. All else is drawn from each one's own seed."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.place >= self.members:
            what = f"{self.place} is none of {self.members} members, which count from 0"
            raise SpecError(Fault("place", what, "give a smaller place, or more members"))
        if self.members == 1 and self.seed:
            raise SpecError(Fault("seed", "means nothing for a training that runs alone", "leave it out"))
        return self


def unfusable(params: Mapping[str, Scalar], default: Mapping[str, Scalar]) -> Iterator[Fault]:
    """What keeps a configuration, as flat dotted keys, from being fused; `default` is one with nothing set."""
    for key, value in params.items():
        known = key in KEYS or key.startswith(tuple(f"{section}." for section in SECTIONS))
        if not known and value != default.get(key):
            yield Fault(key, f"{value} cannot be fused", "train it alone, or leave it out")
        elif key in VALUES and value not in VALUES[key]:
            words = ", ".join(map(str, VALUES[key]))
            yield Fault(key, f"{value} cannot be fused", f"train it alone, or give one of: {words}")


def unlike(several: Sequence[Mapping[str, Scalar]]) -> Iterator[Fault]:
    """What keeps configurations, as flat dotted keys, from being members of one program."""
    for key in sorted({key for params in several for key in params}):
        values = {params.get(key) for params in several}
        if len(values) > 1 and (key in SHARED or not key.startswith(OWN)):
            what = f"differs between the members: {', '.join(sorted(map(str, values)))}"
            yield Fault(key, what, "give all the same, or train them apart")
