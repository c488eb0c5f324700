"""What one setting takes: its kind, its legal values, and a written value as a configuration holds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from isoflop.config import SECTIONS
from isoflop.errors import Fault, SpecError, did_you_mean
from isoflop.families import Scalar, families, family
from isoflop.faults import plain
from isoflop.space import FAMILY

Kind = Literal["integer", "number", "listed"]


def take(key: str, written: object, names: Sequence[str]) -> Scalar:
    """A written value as a configuration of these families holds it: the text `1e-4` is a number where one is due.

    Raises `SpecError` with what is wrong and the remedy, without a place.
    """
    legal = listed(key, names)
    if legal is not None:
        found = next((value for value in legal if _same(value, written)), _NONE)
        if found is _NONE:
            what = f"unknown family {written!r}" if key == FAMILY else f"{written!r} is not a legal value"
            words = [value for value in legal if isinstance(value, str)]
            shown = f"give one of: {', '.join(map(str, legal))}"
            raise SpecError(Fault("", what, did_you_mean(str(written), words) if words else shown))
        return found
    if written == "null":
        written = None  # the name that JSON gives a choice's null
    try:
        value: Scalar = _adapter(key).validate_python(written)
    except ValidationError as error:
        raise SpecError(plain(error.errors()[-1])) from None
    if isinstance(written, bool) and not isinstance(value, bool):
        raise SpecError(Fault("", f"{written} is not a number", "give a number"))
    return value


def listed(key: str, names: Sequence[str]) -> list[Scalar] | None:
    """The legal values of a family, stem or knob that every family here takes, none where they are not listed."""
    if key == FAMILY:
        return list(families())
    name = key.removeprefix("model.")
    rows = [family(one) for one in names]
    if key == "model.stem" and rows:
        return [stem for stem in rows[0].stems if all(stem in row.stems for row in rows)]
    if rows and all(name in row.knobs for row in rows):
        return [value for value in rows[0].knobs[name] if all(value in row.knobs[name] for row in rows)]
    return None


def kind(key: str, names: Sequence[str]) -> Kind:
    """Whether a setting takes whole numbers, numbers, or one of a list."""
    if listed(key, names) is not None:
        return "listed"
    schema = _adapter(key).json_schema()
    types = {one.get("type") for one in [schema, *schema.get("anyOf", ())]}
    if "integer" in types:
        return "integer"
    return "number" if "number" in types else "listed"


_NONE: Any = object()
"""No value, where null may be one."""


def _same(legal: Scalar, written: object) -> bool:
    """Whether a value was written, be it as the text that JSON makes of it as a key, or a name as the number it is."""
    if isinstance(written, str) and not isinstance(legal, str):
        return json.dumps(legal) == written
    if isinstance(legal, str) and type(written) is int:
        return legal == str(written)
    return legal == written and isinstance(legal, bool) == isinstance(written, bool)


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    """Checks values of a key as the configuration does."""
    section, name = key.split(".", 1)
    found = SECTIONS[section].model_fields.get(name)
    if found is None:
        return TypeAdapter(Any)
    wanted: Any = Annotated[found.annotation, *found.metadata] if found.metadata else found.annotation
    return TypeAdapter(wanted)
