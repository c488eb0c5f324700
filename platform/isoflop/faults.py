"""What pydantic finds, as faults in plain words: one line each, under its dotted key, with the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from isoflop.errors import Fault, InputError, SpecError, did_you_mean

NAME = "use up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
PLAIN: Mapping[str, tuple[str, str]] = {
    "int": ("is not a whole number", "give a whole number"),
    "float": ("is not a number", "give a number"),
    "finite_number": ("is not finite", "give a finite number"),
    "bool": ("is neither true nor false", "write true or false"),
    "string_type": ("is not text", "put it in quotes"),
    "string_pattern_mismatch": ("is not a name", NAME),
    "tuple_type": ("is not a list", "write it in [ ]"),
    "model_type": ("is not a mapping", "write key: value lines"),
    "dict_type": ("is not a mapping", "write key: value lines"),
    "too_short": ("has too few values", "give at least {min_length}"),
    "too_long": ("has too many values", "give at most {max_length}"),
    "greater_than": ("is too small", "give more than {gt}"),
    "greater_than_equal": ("is too small", "give {ge} or more"),
    "less_than": ("is too large", "give less than {lt}"),
    "less_than_equal": ("is too large", "give {le} or less"),
}
"""What is wrong and the remedy, by pydantic's type of error, or by what stands before its first underscore."""

M = TypeVar("M", bound=BaseModel)


def parse(part: type[M], tree: Mapping[str, Any], where: str = "") -> M:
    """Make a part of nested mappings. Raises `SpecError` with every fault, each under its dotted key."""
    try:
        return part.model_validate(tree)
    except ValidationError as error:
        raise SpecError(*faults(error, part, where)) from None


def faults(error: ValidationError, part: type[BaseModel], where: str = "") -> list[Fault]:
    """Every fault of a value that was to become this part, in the order found."""
    found = error.errors()
    places = [one["loc"] for one in found]
    return [fault for one in found if not _follows(one, places) for fault in _located(one, part, where)]


def plain(found: Any) -> Fault:
    """One of pydantic's errors in plain words, without its place."""
    kind, context = found["type"], found.get("ctx", {})
    if kind in {"literal_error", "enum"}:
        words = re.findall(r"'([^']*)'", context["expected"])
        return Fault("", f"{found['input']!r} is not a legal value", did_you_mean(str(found["input"]), words))
    known = PLAIN.get(kind) or PLAIN.get(kind.partition("_")[0])
    if known is None:
        message = found["msg"].removeprefix("Value error, ")
        return Fault("", message[0].lower() + message[1:])
    what, remedy = known
    return Fault(
        "", f"{found['input']!r} {what}", remedy.format(**{name: _short(value) for name, value in context.items()})
    )


def _located(found: Any, part: type[BaseModel], where: str) -> Iterator[Fault]:
    """Our faults of one of pydantic's errors; a check of ours that raised `InputError` may have found several."""
    path = [str(step) for step in found["loc"]]
    key = ".".join([where, *path] if where else path)
    raised = found.get("ctx", {}).get("error")
    if isinstance(raised, InputError):
        for fault in raised.faults:
            yield Fault(".".join(filter(None, (key, fault.where))), fault.what, fault.remedy)
    elif found["type"] == "extra_forbidden":
        yield Fault(key, "unknown key", did_you_mean(path[-1], _fields_at(part, path[:-1])))
    elif found["type"] == "missing":
        yield Fault(key, "missing", "give it a value")
    else:
        fault = plain(found)
        yield Fault(key, fault.what, fault.remedy)


def _follows(found: Any, places: Sequence[tuple[int | str, ...]]) -> bool:
    """Whether a list is short only because the values in it have faults of their own."""
    place = found["loc"]
    return found["type"] == "too_short" and any(other[: len(place)] == place != other for other in places)


def _fields_at(part: type[BaseModel], path: Sequence[str]) -> frozenset[str]:
    """The known keys of the part at a path."""
    for step in path:
        if not step.isdigit():
            part = next(_parts_in(part.model_fields[step].annotation))
    return frozenset(part.model_fields)


def _parts_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The parts that an annotation such as `tuple[Constraint, ...]` or `Halving | None` names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts_in(inner)


def _short(value: object) -> object:
    """A whole float without its fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
