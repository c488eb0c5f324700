"""What the parts of a configuration are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, field_validator

from isoflop.errors import Fault, SpecError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


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
