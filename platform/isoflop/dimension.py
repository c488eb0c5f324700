"""Reads the `space:` part of a spec: bounds of each key, conditionals under the choice that enables them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from isoflop.config import FIXED_BY_STUDY, SECTIONS, known_keys
from isoflop.errors import Fault, did_you_mean
from isoflop.families import Scalar, families, family
from isoflop.space import FAMILY, Choice, Dimension, Float, Int, SearchSpace

KINDS = ("float", "int", "choice")
OPTIONS = {"float": {"log", "step"}, "int": {"log", "step"}, "choice": set[str]()}
EXAMPLES = {"float": "{float: [0.001, 0.1], log: true}", "int": "{int: [1, 8]}", "choice": "{choice: [a, b]}"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one level of a space for the families that it covers, and collects the faults of all levels."""

    names: tuple[str, ...]
    taken: frozenset[str] = frozenset()
    """Keys that an outer level decides."""
    faults: list[Fault] = field(default_factory=list)

    def read(self, tree: object, where: str) -> SearchSpace:
        """The space of a mapping; what cannot be read is left out and stands among the faults."""
        if tree is None:
            return SearchSpace()
        if not isinstance(tree, Mapping):
            self._fault(where, f"{tree!r} is not a mapping of keys", "write key: value lines")
            return SearchSpace()
        rows = dict(_unnest(tree))
        inner = Reader(_families_of(rows, self.names), self.taken | set(rows), self.faults)
        read = [(key, inner.entry(key, value, f"{where}.{key}")) for key, value in rows.items()]
        return SearchSpace(
            dimensions=tuple(found for _, found in read if isinstance(found, (Float, Int, Choice))),
            fixed={key: found[0] for key, found in read if isinstance(found, tuple)},
        )

    def entry(self, key: str, value: object, where: str) -> Dimension | tuple[Scalar] | None:
        """A dimension, a fixed value in a tuple, or none where there is a fault."""
        if not self._known(key, where):
            return None
        if not isinstance(value, Mapping):
            fixed = self._value(key, value, where)
            return None if fixed is _BAD else (fixed,)
        kinds = [kind for kind in KINDS if kind in value]
        if len(kinds) != 1:
            found = " and ".join(kinds) or ", ".join(map(str, value)) or "nothing"
            self._fault(where, f"is no dimension (found {found})", f"write one of: {'; '.join(EXAMPLES.values())}")
            return None
        kind = kinds[0]
        for strange in set(map(str, value)) - {kind} - OPTIONS[kind]:
            self._fault(f"{where}.{strange}", "unknown key", did_you_mean(strange, {*KINDS, *OPTIONS[kind]}))
        if kind == "choice":
            return self._choice(key, value[kind], where)
        return self._range(kind, key, value, where)

    def _known(self, key: str, where: str) -> bool:
        if key in FIXED_BY_STUDY:
            place = {"train.threads": "resources.threads"}.get(key, f"fidelity.{key.removeprefix('train.')}")
            self._fault(where, "is decided by the study", f"set study.{place}")
            return False
        possible = frozenset.intersection(*(known_keys(name) for name in self.names)) if self.names else known_keys()
        if key in possible:
            return True
        owners = [name for name in families() if key in known_keys(name)]
        if owners:
            remedy = f"nest it under model.family: {' or '.join(owners)}"
            self._fault(where, f"is a setting of {', '.join(owners)} alone", remedy)
        else:
            self._fault(where, "unknown key", did_you_mean(key, possible))
        return False

    def _choice(self, key: str, options: object, where: str) -> Choice | None:
        if not isinstance(options, (Sequence, Mapping)) or isinstance(options, str) or not options:
            self._fault(f"{where}.choice", f"{options!r} is an empty range", f"write {EXAMPLES['choice']}")
            return None
        found: dict[Scalar, SearchSpace] = {}
        for option in options:
            value = self._value(key, option, f"{where}.choice")
            if value is _BAD:
                continue
            if value in found:
                self._fault(f"{where}.choice", f"{value!r} stands twice", "remove one")
            branch = Reader((str(value),) if key == FAMILY else self.names, self.taken, self.faults)
            nested = options[option] if isinstance(options, Mapping) else None
            found[value] = branch.read(nested, f"{where}.{option}")
        return Choice(key=key, options=found) if found else None

    def _range(self, kind: str, key: str, value: Mapping[str, object], where: str) -> Float | Int | None:
        bounds = value[kind]
        if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
            self._fault(f"{where}.{kind}", f"{bounds!r} is not [low, high]", f"write {EXAMPLES[kind]}")
            return None
        if kind == "float" and self._value(key, 0.4999, None) is _BAD and self._value(key, 1, None) is not _BAD:
            whole = _adapter(key, self.names).json_schema().get("type") == "integer"
            if whole:
                self._fault(f"{where}.float", "this setting takes whole numbers", f"write {{int: {list(bounds)}}}")
                return None
        low, high = (self._value(key, bound, f"{where}.{kind}") for bound in bounds)
        if _BAD in (low, high) or not self._number(low, where) or not self._number(high, where):
            return None
        log, step = value.get("log", False), value.get("step")
        if self._bad_range(kind, low, high, log=log, step=step, where=where):
            return None
        if kind == "int":
            return Int(key=key, low=int(low), high=int(high), log=bool(log), step=int(step or 1))  # type: ignore[call-overload]
        return Float(key=key, low=float(low), high=float(high), log=bool(log), step=float(step) if step else None)  # type: ignore[arg-type]

    def _number(self, value: object, where: str) -> bool:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return True
        self._fault(where, f"bound {value!r} is not a number", "give two numbers")
        return False

    def _bad_range(self, kind: str, low: Any, high: Any, *, log: object, step: object, where: str) -> bool:
        count = len(self.faults)
        if low >= high:
            self._fault(f"{where}.{kind}", f"[{low}, {high}] is an empty range", "give low below high, or one value")
        if kind == "int" and (int(low) != low or int(high) != high):
            self._fault(f"{where}.int", f"[{low}, {high}] are not whole numbers", "use float:, or whole bounds")
        if not isinstance(log, bool):
            self._fault(f"{where}.log", f"{log!r} is not true or false", "write log: true")
        elif log and low <= 0:
            self._fault(f"{where}.{kind}", f"low {low} has no logarithm", "give a low above 0, or leave log out")
        elif log and step is not None:
            self._fault(f"{where}.step", "goes not with log", "remove one of them")
        number = isinstance(step, (int, float)) and not isinstance(step, bool)
        if step is not None and (not number or step <= 0 or step > high - low):  # type: ignore[operator]
            self._fault(f"{where}.step", f"{step!r} is no step within [{low}, {high}]", "give a smaller one above 0")
        return len(self.faults) > count

    def _value(self, key: str, value: object, where: str | None) -> Any:
        """A value as the configuration takes it, `_BAD` with a fault where it does not."""
        if key == FAMILY:
            if value in families():
                return value
            remedy = did_you_mean(str(value), families())
        else:
            remedy = self._refusal(key, value)
            if not remedy:
                return _adapter(key, self.names).validate_python(value)
        if where is not None:
            what = f"unknown family {value!r}" if key == FAMILY else f"{value!r} is not a legal value"
            self._fault(where, what, remedy)
        return _BAD

    def _refusal(self, key: str, value: object) -> str:
        """Why a configuration does not take a value, as what it does take; empty where it does."""
        legal = _listed(key, self.names)
        if legal is not None:
            return "" if value in legal else f"legal: {', '.join(map(str, legal))}"
        try:
            _adapter(key, self.names).validate_python(value)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            return message[0].lower() + message[1:]
        return ""

    def _fault(self, where: str, what: str, remedy: str) -> None:
        self.faults.append(Fault(where, what, remedy))


_BAD = object()
"""What a value that was refused becomes."""


def _families_of(rows: Mapping[str, object], outer: tuple[str, ...]) -> tuple[str, ...]:
    """The families that a level covers: those it names, else those of the level around it."""
    named = rows.get(FAMILY)
    if named is None:
        return outer
    options = named.get("choice", ()) if isinstance(named, Mapping) else (named,)
    listed = options if isinstance(options, (Sequence, Mapping)) and not isinstance(options, str) else ()
    return tuple(str(name) for name in listed if str(name) in families())


def _unnest(tree: Mapping[Any, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Sections such as `optim: {lr: ...}` as dotted keys."""
    for key, value in tree.items():
        section = not prefix and key in SECTIONS and isinstance(value, Mapping)
        if section:
            yield from _unnest(value, f"{key}.")  # type: ignore[arg-type]
        else:
            yield f"{prefix}{key}", value


def _listed(key: str, names: Sequence[str]) -> list[Scalar] | None:
    """The legal values of a knob or stem that every family here takes, none where they are not listed."""
    name = key.removeprefix("model.")
    rows = [family(one) for one in names]
    if key == "model.stem" and rows:
        return [stem for stem in rows[0].stems if all(stem in row.stems for row in rows)]
    if rows and all(name in row.knobs for row in rows):
        return [value for value in rows[0].knobs[name] if all(value in row.knobs[name] for row in rows)]
    return None


def _adapter(key: str, names: Sequence[str]) -> TypeAdapter[Any]:
    """Checks values of a key as the configuration does."""
    section, name = key.split(".", 1)
    found = SECTIONS[section].model_fields.get(name)
    if found is None or _listed(key, names) is not None:
        return TypeAdapter(Any)
    wanted: Any = Annotated[found.annotation, *found.metadata] if found.metadata else found.annotation
    return TypeAdapter(wanted)
