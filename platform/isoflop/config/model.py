"""The model: a family, its shape and what it begins with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from isoflop.config.part import Count, Part, Positive
from isoflop.errors import Fault, SpecError, UnknownError, did_you_mean
from isoflop.families import Scalar, families, family

WEIGHTS = "model.weights"
"""The key under which pretrained weights are named."""


RUN = "run"
"""What weights of a finished training are called between family and hash, where published ones have their variant."""
SELF_SUPERVISED = ("simclr", "simmim")
"""The same for those trained without labels: the method."""
OWN = (RUN, *SELF_SUPERVISED)


def named(name: str) -> str:
    """A name of weights, `FAMILY-VARIANT-HASH`, or none. Raises `SpecError`."""
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{8}", name):
        raise SpecError(Fault("", f"{name!r} is no name of weights", "give one that isoflop weights list shows"))
    return name


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
    weights: Annotated[str, AfterValidator(named)] = ""
    """Pretrained weights that a training begins with, by the name under which `isoflop weights add` stored them; none
    means weights drawn from the seed. The name holds a hash of the content, so no path decides a training. Published
    ones fit the published net alone, those of a training of ours a net of the same settings; resolution, channels and
    classes are adapted (`models/pretrained/`)."""

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


def _one_of(values: Iterable[Scalar]) -> str:
    return f"give one of: {', '.join(map(str, values))}"
