"""What decides a training's numbers, and what a study is: frozen values, checked when made.

`TrialConfig` is one configuration; its settings have one dotted key everywhere (`optim.lr`). `StudySpec` is the
`study:` part of a spec. Both are made from what people write, so unknown keys are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from isoflop.errors import Fault, SpecError, UnknownError, did_you_mean
from isoflop.families import Scalar, families, family
from isoflop.faults import parse as parse  # noqa: PLC0414 - a name of this module too

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


WEIGHTS = "model.weights"
"""The key under which pretrained weights are named."""


def _named(name: str) -> str:
    """A name of weights, `FAMILY-VARIANT-HASH`, or none. Raises `SpecError`."""
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{8}", name):
        raise SpecError(Fault("", f"{name!r} is no name of weights", "give one that isoflop weights list shows"))
    return name


class Part(BaseModel):
    """A frozen part of a configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _true_is_no_number(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        made: object = handler(value)
        if isinstance(value, bool) and isinstance(made, (int, float)) and not isinstance(made, bool):
            raise SpecError(Fault("", f"{value} is not a number", "give a number"))
        return made


class Axis(StrEnum):
    """The fidelity: the axis along which trials are compared."""

    EPOCHS = "epochs"
    IMAGES = "images"
    FLOPS = "flops"


class ModelConfig(Part):
    """A family and its shape. `depth` and `width` are multipliers of the family's base; further keys are its knobs."""

    model_config = ConfigDict(extra="allow", frozen=True, validate_default=True)

    family: str
    depth: Positive = 1.0
    width: Positive = 1.0
    resolution: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Pixels of a side as the model sees it; none means as stored."""
    phi: Annotated[float, Field(ge=-16, le=16)] = 0.0
    """Compound coefficient: multiplies depth, width and resolution by the family's bases to this power."""
    stem: Count | None = None
    """Stride of the stem or patch size; none means the family's own."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    divisor: Count = 8
    """Channels are rounded to a multiple of this."""
    weights: Annotated[str, AfterValidator(_named)] = ""
    """Pretrained weights that a training begins with, by the name under which `isoflop weights add` stored them; none
    means weights drawn from the seed. The name holds a hash of the content, so no path decides a training. They fit
    the published net alone; resolution, channels and classes are adapted (`models/pretrained/`)."""

    @field_validator("family")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return family(name).name
        except UnknownError as error:
            raise SpecError(*(Fault("", fault.what, fault.remedy) for fault in error.faults)) from None

    @model_validator(mode="after")
    def _check(self) -> Self:
        row = family(self.family)
        wrong = []
        if self.stem is not None and self.stem not in row.stems:
            wrong.append(Fault("stem", f"{self.stem} is not a legal value of {row.name}", _one_of(row.stems)))
        if self.drop_path and not row.residual:
            wrong.append(Fault("drop_path", f"{row.name} has no residual paths that could be dropped", "leave it out"))
        for key, value in self.knobs.items():
            if key not in row.knobs:
                known = {*row.knobs, *type(self).model_fields}
                wrong.append(Fault(key, f"{row.name} has no such setting", did_you_mean(key, known)))
            elif value not in row.knobs[key]:
                wrong.append(Fault(key, f"{value!r} is not a legal value of {row.name}", _one_of(row.knobs[key])))
        if wrong:
            raise SpecError(*wrong)
        return self

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        """The family's own settings with their defaults, so that equal nets have equal configurations."""
        if not isinstance(given, dict) or (row := families().get(str(given.get("family")))) is None:
            return given
        full = {**{name: values[0] for name, values in row.knobs.items()}, **given}
        variant = full.get("variant")
        return {**full, "variant": str(variant)} if type(variant) is int else full  # people write `variant: 50`

    @property
    def variant(self) -> str:
        """The published net that depth and width count from, empty for a family that has one."""
        row = family(self.family)
        return str(self.knob("variant")) if "variant" in row.knobs else next(iter(row.variants), "")

    @property
    def knobs(self) -> Mapping[str, Scalar]:
        """The settings that only this family has."""
        return self.model_extra or {}

    def knob(self, name: str) -> Scalar:
        """One of the family's own settings."""
        return self.knobs[name]


class OptimConfig(Part):
    """Optimizer and its settings. Weight decay never touches norms, biases, embeddings and tokens."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    weight_decay: NotNegative = 5e-4
    clip: NotNegative = 0.0
    """Largest norm of the gradient; 0 means no limit."""

    @property
    def states(self) -> int:
        """How many copies of the weights the optimizer keeps beside them."""
        return 2 if self.name == "adamw" else int(self.momentum > 0)


class ScheduleConfig(Part):
    """Learning rate as a function of the step, over a fixed horizon."""

    name: Literal["cosine", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the horizon in which the rate climbs linearly from 0."""
    final: Share = 0.0
    """Rate at the end as a share of the peak."""


class AugmentConfig(Part):
    """Changes drawn for each image of a training batch, in pixels as stored."""

    flip: bool = False
    crop: Annotated[int, Field(ge=0, le=64)] = 0
    """Zero padding around the image, of which a window of the stored size is cropped at random."""


class LossConfig(Part):
    """The loss of the task."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class TrainConfig(Part):
    """How long and in which bites a training goes on."""

    batch_size: Count = 64
    axis: Axis = Axis.EPOCHS
    horizon: Positive = 9.0
    """Full length of a training on the fidelity's axis; early stopping never changes it."""
    reports: Count = 9
    """Records that a full training yields, evenly spaced along the axis."""
    micro_batch: Count | None = None
    """Images that go through the model at once, gradients being added up to a batch; none means the whole batch."""
    threads: Count = 1
    """CPU threads; sums are ordered by it, so it is a part of the configuration."""
    freeze: bool = False
    """Train the head alone, on features of a body that stays as it began: a feature extractor. The body is in
    evaluation mode throughout, so batch norms keep their statistics and no path is dropped. A step costs its forward
    pass alone. Without `model.weights` the features are random ones."""

    @property
    def piece(self) -> int:
        """Images that go through the model at once."""
        return min(self.micro_batch or self.batch_size, self.batch_size)


class DataConfig(Part):
    """The prepared data set that a training reads."""

    name: Name
    digest: str = ""


class TrialConfig(Part):
    """Everything that decides a training's numbers, but for the seed and the code version."""

    model: ModelConfig
    data: DataConfig
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    train: TrainConfig = TrainConfig()

    @classmethod
    def from_params(cls, params: Mapping[str, Scalar]) -> Self:
        """Make a configuration of flat dotted keys. Raises `SpecError` with every fault, each under its key."""
        return parse(cls, nest(params))

    def params(self) -> dict[str, Scalar]:
        """The configuration as flat dotted keys, defaults included."""
        return dict(flatten(self.model_dump(mode="json")))

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
    "optim": OptimConfig,
    "schedule": ScheduleConfig,
    "augment": AugmentConfig,
    "loss": LossConfig,
    "train": TrainConfig,
}
"""The parts of a configuration that a space may vary, by the first word of their keys."""

FIXED_BY_STUDY = frozenset({"train.axis", "train.horizon", "train.reports", "train.threads"})
"""Keys that the `study:` part decides, so that trials can be compared."""


def known_keys(family_name: str | None = None) -> frozenset[str]:
    """Every dotted key that a space may set, with the knobs of one family or of all."""
    rows = [family(family_name)] if family_name else families().values()
    nowhere = FIXED_BY_STUDY if any(row.residual for row in rows) else FIXED_BY_STUDY | {"model.drop_path"}
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


def _one_of(values: Iterable[Scalar]) -> str:
    return f"give one of: {', '.join(map(str, values))}"


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
