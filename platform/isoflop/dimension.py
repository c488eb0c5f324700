"""Reads the `space:` part of a spec: bounds of each key, conditionals under the choice that enables them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from isoflop.bounds import EXAMPLES, read_range
from isoflop.config import FIXED_BY_STUDY, SECTIONS, known_keys
from isoflop.errors import Fault, SpecError, did_you_mean
from isoflop.families import Scalar, families
from isoflop.setting import take
from isoflop.space import FAMILY, Choice, Dimension, Float, Int, SearchSpace

KINDS = ("float", "int", "choice")
OPTIONS = {"float": {"log", "step"}, "int": {"log", "step"}, "choice": set[str]()}
CHOICE = "{choice: [a, b]}"
DECIDED = {
    "data.name": "set study.data",
    "data.digest": "set study.data",
    "data.folds": "leave it out: a search validates on one split; isoflop cross-validate trains a run on every fold",
    "data.fold": "leave it out: a search validates on one split; isoflop cross-validate trains a run on every fold",
    "train.axis": "set study.fidelity.axis",
    "train.horizon": "set study.fidelity.horizon",
    "train.reports": "set study.fidelity.reports",
    "train.threads": "set study.resources.threads",
    "train.devices": "set study.resources.devices",
}
"""What to do instead, where the `study:` part decides a key that a space must not."""
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
            self._fault(
                where, f"is no dimension (found {found})", f"write one of: {'; '.join([*EXAMPLES.values(), CHOICE])}"
            )
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
            self._fault(where, "is decided by the study", DECIDED[key])
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
            self._fault(f"{where}.choice", f"{options!r} is not a list", f"write {CHOICE}")
            return None
        if not options:
            self._fault(f"{where}.choice", "is an empty range", f"write {CHOICE}")
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
        try:
            return read_range(form, key, value, self.names)
        except SpecError as error:
            self.faults.extend(Fault(f"{where}.{fault.where}", fault.what, fault.remedy) for fault in error.faults)
            return None

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
        if not prefix and isinstance(value, Mapping) and key in SECTIONS:
            yield from _unnest(value, f"{key}.")
        else:
            yield f"{prefix}{key}", value
