"""One configuration: all its parts, and the dotted keys of their settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import model_validator

from isoflop.config.adversary import AdversaryConfig
from isoflop.config.augment import AugmentConfig
from isoflop.config.average import AverageConfig
from isoflop.config.curriculum import CurriculumConfig
from isoflop.config.data import DataConfig
from isoflop.config.distill import TEACHER, DistillConfig
from isoflop.config.fused import FusedConfig, unfusable
from isoflop.config.loss import LossConfig
from isoflop.config.model import WEIGHTS, ModelConfig
from isoflop.config.optim import OptimConfig
from isoflop.config.part import Part
from isoflop.config.resize import ResizeConfig
from isoflop.config.schedule import ScheduleConfig
from isoflop.config.train import TrainConfig
from isoflop.errors import Fault, SpecError
from isoflop.families import Scalar, families, family
from isoflop.faults import parse


class TrialConfig(Part):
    """Everything that decides a training's numbers, but for the seed and the code version."""

    model: ModelConfig
    data: DataConfig
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    distill: DistillConfig = DistillConfig()
    adversary: AdversaryConfig = AdversaryConfig()
    train: TrainConfig = TrainConfig()
    average: AverageConfig = AverageConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    resize: ResizeConfig = ResizeConfig()
    fused: FusedConfig = FusedConfig()

    @model_validator(mode="after")
    def _mixed(self) -> Self:
        if self.augment.mixes and self.train.batch_size == 1:
            remedy = "make train.batch_size larger"
            raise SpecError(Fault("augment", "a batch of one image has nothing to mix with", remedy))
        return self

    @model_validator(mode="after")
    def _check_reading(self) -> Self:
        wrong = []
        if self.curriculum.start < 1 and self.data.balance:
            what = f"{self.data.balance:g} and a curriculum both decide which images a step sees"
            wrong.append(Fault("data.balance", what, "set data.balance: 0 or curriculum.start: 1"))
        if self.data.window and (self.data.balance or self.curriculum.start < 1):
            what = f"{self.data.window} reads in blocks, and balance or a curriculum anywhere"
            wrong.append(Fault("data.window", what, "set data.window: 0, data.balance: 0 and curriculum.start: 1"))
        if (self.curriculum.by == "given") != bool(self.curriculum.given):
            what = f"{self.curriculum.by!r} does not go with curriculum.given {self.curriculum.given!r}"
            wrong.append(Fault("curriculum.by", what, "set both, or neither"))
        if self.resize.start < 1 and not family(self.model.family).any_size:
            what = f"{self.model.family} takes images of one size alone"
            wrong.append(Fault("resize.start", what, "set resize.start: 1, or choose a convolutional family"))
        if wrong:
            raise SpecError(*wrong)
        return self

    @model_validator(mode="after")
    def _fusable(self) -> Self:
        if self.fused.members > 1:
            parts = {name: field.default for name, field in type(self).model_fields.items()}
            plain = {name: part.model_dump(mode="json") for name, part in parts.items() if isinstance(part, Part)}
            if faults := list(unfusable(self.params(), dict(flatten(plain)))):
                raise SpecError(*faults)
        return self

    @classmethod
    def from_params(cls, params: Mapping[str, Scalar]) -> Self:
        """Make a configuration of flat dotted keys. Raises `SpecError` with every fault, each under its key."""
        return parse(cls, nest(params))

    def params(self) -> dict[str, Scalar]:
        """The configuration as flat dotted keys, defaults included."""
        return dict(flatten(self.model_dump(mode="json")))

    @property
    def copies(self) -> int:
        """How many copies of the weights a training keeps beside them, at most.

        They are the optimizer's, the average, those of the best report, and what mixed precision casts (half a copy).
        """
        others = (self.average.name != "none", self.train.patience > 0, self.train.precision != "float32")
        return self.optim.states + sum(others)

    def halved(self) -> Self | None:
        """The configuration with a quarter of the images at once, for when memory ran out; none below one image."""
        if self.train.piece == 1:
            return None
        train = self.train.model_copy(update={"micro_batch": -(-self.train.piece // 4)})
        return self.model_copy(update={"train": train})

    def fingerprint(self, code: str) -> str:
        """Hash of everything that decides the numbers: this configuration and the training core's code version."""
        text = json.dumps({"config": self.model_dump(mode="json"), "code": code}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


SECTIONS: Mapping[str, type[Part]] = {
    "model": ModelConfig,
    "data": DataConfig,
    "optim": OptimConfig,
    "schedule": ScheduleConfig,
    "augment": AugmentConfig,
    "loss": LossConfig,
    "distill": DistillConfig,
    "adversary": AdversaryConfig,
    "train": TrainConfig,
    "average": AverageConfig,
    "curriculum": CurriculumConfig,
    "resize": ResizeConfig,
}
"""The parts of a configuration that a space may vary, by the first word of their keys."""

STORED = (WEIGHTS, TEACHER)
"""Keys that name files of weights, none where they are empty."""

FIXED_BY_STUDY = frozenset(
    {"data.name", "data.digest", "data.folds", "data.fold"}
    | {"train.axis", "train.horizon", "train.reports", "train.threads", "train.devices"}
)
"""Keys that the `study:` part decides, so that trials can be compared."""


def known_keys(family_name: str | None = None) -> frozenset[str]:
    """Every dotted key that a space may set, with the knobs of one family or of all."""
    rows = [family(family_name)] if family_name else list(families().values())
    nowhere = set(FIXED_BY_STUDY)
    if not any(row.residual for row in rows):
        nowhere.add("model.drop_path")
    if not any(row.any_size for row in rows):
        nowhere |= {f"resize.{field}" for field in ResizeConfig.model_fields}
    keys = {f"{section}.{field}" for section, part in SECTIONS.items() for field in part.model_fields}
    return frozenset(keys | {f"model.{knob}" for row in rows for knob in row.knobs}) - nowhere


def default_of(key: str, family_name: str) -> Scalar:
    """The value of a key in the family's default configuration."""
    row = family(family_name)
    section, name = key.split(".", 1)
    if key == "model.family":
        return family_name
    if key == "model.stem":
        return row.stem
    if key in row.recipe:
        return row.recipe[key]
    if section == "model" and name in row.knobs:
        return row.knobs[name][0]
    default: Scalar = SECTIONS[section].model_fields[name].default
    return default


def nest(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested mappings."""
    tree: dict[str, Any] = {}
    for key, value in params.items():
        *path, last = key.split(".")
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        node[last] = value
    return tree


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Turn nested mappings into pairs of dotted key and value."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
