"""Reads the `space:` part of a spec: bounds of each key, conditionals under the choice that enables them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from isoflop.config import FIXED_BY_STUDY, SECTIONS, known_keys
from isoflop.errors import Fault, SpecError, did_you_mean
from isoflop.families import Scalar, families
from isoflop.setting import kind, listed, take
from isoflop.space import FAMILY, Choice, Dimension, Float, Int, SearchSpace

KINDS = ("float", "int", "choice")
OPTIONS = {"float": {"log", "step"}, "int": {"log", "step"}, "choice": set[str]()}
EXAMPLES = {"float": "{float: [0.001, 0.1], log: true}", "int": "{int: [1, 8]}", "choice": "{choice: [a, b]}"}
DECIDED = {
    "data.name": "data",
    "data.digest": "data",
    "train.axis": "fidelity.axis",
    "train.horizon": "fidelity.horizon",
    "train.reports": "fidelity.reports",
    "train.threads": "resources.threads",
}
"""Where the `study:` part decides a key that a space must not."""
assert set(DECIDED) >= FIXED_BY_STUDY, "a key without a remedy"


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
            self._fault(where, f"{tree!r} is not a mapping", "write key: value lines")
            return SearchSpace()
        rows: dict[str, object] = {}
        for key, value in _unnest(tree):
            if key in rows or key in self.taken:
                place = "here" if key in rows else "at an outer level"
                self._fault(f"{where}.{key}", f"stands {place} already", "remove one of them")
            rows.setdefault(key, value)
        inner = Reader(_families_of(rows, self.names), self.taken | set(rows), self.faults)
        read = [(key, inner.entry(key, value, f"{where}.{key}")) for key, value in rows.items()]
        space = SearchSpace(
            dimensions=tuple(found for _, found in read if isinstance(found, (Float, Int, Choice))),
            fixed={key: found[0] for key, found in read if isinstance(found, tuple)},
        )
        self._refuse_clashes(space, where)
        return space

    def entry(self, key: str, value: object, where: str) -> Dimension | tuple[Scalar] | None:
        """A dimension, a fixed value in a tuple, or none where there is a fault."""
        if not self._known(key, value, where):
            return None
        if not isinstance(value, Mapping):
            return self._take(key, value, where)
        kinds = [kind for kind in KINDS if kind in value]
        if len(kinds) != 1:
            found = " and ".join(kinds) or ", ".join(map(str, value)) or "nothing"
            self._fault(where, f"is no dimension (found {found})", f"write one of: {'; '.join(EXAMPLES.values())}")
            return None
        for strange in sorted(set(map(str, value)) - {kinds[0]} - OPTIONS[kinds[0]]):
            self._fault(f"{where}.{strange}", "unknown key", did_you_mean(strange, {*KINDS, *OPTIONS[kinds[0]]}))
        if kinds[0] == "choice":
            return self._choice(key, value["choice"], where)
        return self._range(kinds[0], key, value, where)

    def _known(self, key: str, value: object, where: str) -> bool:
        possible = frozenset.intersection(*(known_keys(name) for name in self.names)) if self.names else known_keys()
        if key in possible:
            return True
        owners = [name for name in families() if key in known_keys(name)]
        if key in DECIDED:
            self._fault(where, "is decided by the study", f"set study.{DECIDED[key]}")
        elif key in SECTIONS:
            inside = sorted(known for known in possible if known.startswith(f"{key}."))
            self._fault(where, f"{value!r} is not a mapping", f"write keys such as {', '.join(inside[:3])}")
        elif owners:
            remedy = f"nest it under model.family: {' or '.join(owners)}"
            self._fault(where, f"is a setting of {', '.join(owners)} alone", remedy)
        else:
            self._fault(where, "unknown key", did_you_mean(key, possible))
        return False

    def _choice(self, key: str, options: object, where: str) -> Choice | None:
        if not isinstance(options, (Sequence, Mapping)) or isinstance(options, str):
            self._fault(f"{where}.choice", f"{options!r} is not a list", f"write {EXAMPLES['choice']}")
            return None
        if not options:
            self._fault(f"{where}.choice", "is an empty range", f"write {EXAMPLES['choice']}")
            return None
        found: dict[Scalar, SearchSpace] = {}
        for option in options:
            taken = self._take(key, option, f"{where}.choice")
            if taken is None:
                continue
            if taken[0] in found:
                self._fault(f"{where}.choice", f"{taken[0]!r} stands twice", "remove one")
            branch = Reader((str(taken[0]),) if key == FAMILY else self.names, self.taken, self.faults)
            nested = options[option] if isinstance(options, Mapping) else None
            found[taken[0]] = branch.read(nested, f"{where}.{option}")
        return Choice(key=key, options=found) if found else None

    def _range(self, form: str, key: str, value: Mapping[str, object], where: str) -> Float | Int | None:
        takes = kind(key, self.names)
        if takes == "listed":
            legal = ", ".join(map(str, listed(key, self.names) or ("a", "b")))
            self._fault(f"{where}.{form}", "this setting has no range", f"write {{choice: [{legal}]}}")
            return None
        if takes == "integer" and form == "float":
            self._fault(f"{where}.float", "this setting takes whole numbers", f"write {EXAMPLES['int']}")
            return None
        ends = self._ends(form, key, value[form], where)
        if ends is None:
            return None
        low, high = ends
        log, step = value.get("log", False), _number(value.get("step"))
        bad = self._bad_ends(form, low, high, where) or self._bad_log(log, low, value, where)
        if bad or ("step" in value and self._bad_step(form, ends, step, value["step"], where)):
            return None
        if form == "int":
            return Int(key=key, low=int(low), high=int(high), log=bool(log), step=int(step or 1))
        return Float(key=key, low=low, high=high, log=bool(log), step=step)

    def _ends(self, form: str, key: str, bounds: object, where: str) -> tuple[float, float] | None:
        """Both bounds as numbers, none with a fault where they are not."""
        if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
            self._fault(f"{where}.{form}", f"{bounds!r} is not [low, high]", f"write {EXAMPLES[form]}")
            return None
        found = [self._take(key, bound, f"{where}.{form}") for bound in bounds]
        ends = [taken[0] for taken in found if taken is not None]
        numbers = [float(end) for end in ends if isinstance(end, (int, float))]
        if len(ends) == 2 != len(numbers):
            self._fault(f"{where}.{form}", f"{list(bounds)} are not two numbers", f"write {EXAMPLES[form]}")
        return (numbers[0], numbers[1]) if len(numbers) == 2 else None

    def _bad_ends(self, form: str, low: float, high: float, where: str) -> bool:
        if low >= high:
            what = f"[{low:g}, {high:g}] is an empty range"
            self._fault(f"{where}.{form}", what, "give low below high, or one value instead")
            return True
        if form == "int" and not (low.is_integer() and high.is_integer()):
            self._fault(f"{where}.int", f"[{low:g}, {high:g}] are not whole numbers", "use float:, or whole bounds")
            return True
        return False

    def _bad_log(self, log: object, low: float, value: Mapping[str, object], where: str) -> bool:
        if not isinstance(log, bool):
            self._fault(f"{where}.log", f"{log!r} is neither true nor false", "write log: true")
        elif log and low <= 0:
            self._fault(f"{where}.log", f"{low:g} has no logarithm", "give a low above 0, or leave log out")
        elif log and "step" in value:
            self._fault(f"{where}.step", "does not go with log", "remove one of them")
        else:
            return False
        return True

    def _bad_step(self, form: str, ends: tuple[float, float], step: float | None, written: object, where: str) -> bool:
        low, high = ends
        if step is None or not 0 < step <= high - low:
            self._fault(f"{where}.step", f"{written!r} is no step within [{low:g}, {high:g}]", "give one that fits")
            return True
        if form == "int" and not step.is_integer():
            self._fault(f"{where}.step", f"{written!r} is not a whole number", "give a whole step")
            return True
        last = low + math.floor((high - low) / step + 1e-9) * step
        if not math.isclose(last, high, abs_tol=1e-9 * step):
            self._fault(f"{where}.step", f"steps of {step:g} from {low:g} miss {high:g}", f"end at {last:g}")
            return True
        return False

    def _take(self, key: str, written: object, where: str) -> tuple[Scalar] | None:
        """A value as the configuration holds it, none with a fault where it does not."""
        try:
            return (take(key, written, self.names),)
        except SpecError as error:
            self.faults.extend(Fault(where, fault.what, fault.remedy) for fault in error.faults)
            return None

    def _refuse_clashes(self, space: SearchSpace, where: str) -> None:
        """Two choices of one level must not both decide a key, as both may enable it."""
        owner: dict[str, str] = {}
        for choice in space.dimensions:
            for key in choice.enables if isinstance(choice, Choice) else ():
                if key in owner:
                    what = f"is decided under {owner[key]} and under {choice.key}"
                    self._fault(f"{where}.{key}", what, "nest one choice under the other")
                owner.setdefault(key, choice.key)

    def _fault(self, where: str, what: str, remedy: str) -> None:
        self.faults.append(Fault(where, what, remedy))


def _families_of(rows: Mapping[str, object], outer: tuple[str, ...]) -> tuple[str, ...]:
    """The families that a level covers: those it names, else those of the level around it."""
    named = rows.get(FAMILY)
    if named is None:
        return outer
    options = named.get("choice", ()) if isinstance(named, Mapping) else (named,)
    several = options if isinstance(options, (Sequence, Mapping)) and not isinstance(options, str) else ()
    return tuple(str(name) for name in several if str(name) in families())


def _unnest(tree: Mapping[object, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Sections such as `optim: {lr: ...}` as dotted keys."""
    for key, value in tree.items():
        if not prefix and isinstance(value, Mapping) and (key in SECTIONS or key == "data"):
            yield from _unnest(value, f"{key}.")
        else:
            yield f"{prefix}{key}", value


def _number(written: object) -> float | None:
    """A written number, `1e-1` included, which YAML reads as text; none where it is no finite one."""
    try:
        found = float(written) if isinstance(written, (int, float, str)) and not isinstance(written, bool) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None
