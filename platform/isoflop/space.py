"""Search spaces: what may vary, within which bounds, and under which choice.

A space is asked for a configuration with a suggester, which may be Optuna's trial, a random one, or one that recalls
known values. Parameters are flat and have the dotted keys of a configuration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from isoflop.config import TrialConfig, default_of
from isoflop.errors import did_you_mean
from isoflop.families import Scalar, family
from isoflop.study_spec import StudySpec
from isoflop.suggester import Suggester as Suggester  # noqa: PLC0414 - a name of this module too
from isoflop.suggester import random_suggester as random_suggester  # noqa: PLC0414

FAMILY = "model.family"
RESOLUTION = "model.resolution"


@dataclass(frozen=True, kw_only=True, slots=True)
class Float:
    """A number in [low, high]."""

    key: str
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def sample(self, suggester: Suggester) -> float:
        """Draw it."""
        return suggester.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def nearest(self, value: Scalar) -> float:
        """The legal value nearest to one; the lowest where it is no number."""
        number = _within(value, self.low, self.high)
        return self.at(round((number - self.low) / self.step)) if self.step else number

    def at(self, place: int) -> float:
        """The value `place` steps above the lowest; rounding never carries it over the highest."""
        return min(self.low + place * (self.step or 0.0), self.high)

    def contains(self, value: Scalar) -> bool:
        """Whether a value could be drawn."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        return self.step is None or math.isclose(self.nearest(value), value, abs_tol=1e-9 * self.step)

    @property
    def size(self) -> int | None:
        """Number of values, none where it is continuous."""
        return round((self.high - self.low) / self.step) + 1 if self.step else None

    def __str__(self) -> str:
        """Its bounds."""
        return f"{self.low:g} to {self.high:g}{' log' if self.log else ''}{f' step {self.step:g}' if self.step else ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Int:
    """A whole number in [low, high]."""

    key: str
    low: int
    high: int
    log: bool = False
    step: int = 1

    def sample(self, suggester: Suggester) -> int:
        """Draw it."""
        return suggester.suggest_int(self.key, self.low, self.high, step=self.step, log=self.log)

    def nearest(self, value: Scalar) -> int:
        """The legal value nearest to one; the lowest where it is no number."""
        place = round((_within(value, self.low, self.high) - self.low) / self.step)
        return min(self.low + place * self.step, self.high)

    def contains(self, value: Scalar) -> bool:
        """Whether a value could be drawn."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and not (value - self.low) % self.step

    @property
    def size(self) -> int:
        """Number of values."""
        return (self.high - self.low) // self.step + 1

    def __str__(self) -> str:
        """Its bounds."""
        return f"{self.low} to {self.high}{' log' if self.log else ''}{f' step {self.step}' if self.step > 1 else ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of several values, each with the space that it enables."""

    key: str
    options: Mapping[Scalar, SearchSpace]

    @property
    def values(self) -> list[Scalar]:
        """The values, as written."""
        return list(self.options)

    @property
    def enables(self) -> frozenset[str]:
        """Every key that one of the options decides."""
        return frozenset(key for space in self.options.values() for key in space.every_key())

    def sample(self, suggester: Suggester) -> Scalar:
        """Draw it."""
        return suggester.suggest_categorical(self.key, self.values)

    def nearest(self, value: Scalar) -> Scalar:
        """The value itself where it is one of them, else the first."""
        return value if self.contains(value) else self.values[0]

    def contains(self, value: Scalar) -> bool:
        """Whether a value could be drawn."""
        return any(value == known and type(value) is type(known) for known in self.options)

    @property
    def size(self) -> int | None:
        """Number of configurations, those of the enabled spaces included; none where one is continuous."""
        sizes = [space.size() for space in self.options.values()]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def __str__(self) -> str:
        """Its values."""
        return ", ".join(map(str, self.options))


Dimension = Float | Int | Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSpace:
    """What varies and what is fixed, in the order written."""

    dimensions: tuple[Dimension, ...] = ()
    fixed: Mapping[str, Scalar] = field(default_factory=dict)

    def sample(self, suggester: Suggester) -> dict[str, Scalar]:
        """Draw a configuration: what a choice does not enable is not asked for."""
        params: dict[str, Scalar] = {}
        for dimension in self.dimensions:
            value = dimension.sample(suggester)
            params[dimension.key] = value
            if isinstance(dimension, Choice):
                params |= dimension.options[value].sample(suggester)
        return params

    def complete(self, known: Mapping[str, Scalar], *, stored: int | None = None) -> dict[str, Scalar]:
        """Parameters that are as known where they are given, and the family's default elsewhere.

        Images have `stored` pixels a side, which is the default resolution where that is known.
        """
        name = str(known.get(FAMILY, self.families()[0]))
        return self.sample(_Prefer(self, {FAMILY: name, **known}, name, stored))

    def default(self, name: str, *, stored: int | None = None) -> dict[str, Scalar]:
        """The default configuration of a family, moved into this space's bounds."""
        return self.complete({FAMILY: name}, stored=stored)

    def config(self, params: Mapping[str, Scalar], *, study: StudySpec, data_digest: str) -> TrialConfig:
        """The whole configuration: the family's recipe, over it what is fixed, sampled, and decided by the study."""
        fixed = self.fixed_by(params)
        name = str(params.get(FAMILY, fixed.get(FAMILY)))
        decided: dict[str, Scalar] = {
            "data.name": study.data,
            "data.digest": data_digest,
            "train.axis": study.fidelity.axis.value,
            "train.horizon": study.fidelity.horizon,
            "train.reports": study.fidelity.reports,
            "train.threads": study.resources.threads,
            "train.devices": study.resources.devices,
        }
        return TrialConfig.from_params({**family(name).recipe, **fixed, **params, **decided})

    def fixed_by(self, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Every fixed value that these parameters enable."""
        found = dict(self.fixed)
        for dimension in self.dimensions:
            if isinstance(dimension, Choice):
                found |= dimension.options[params[dimension.key]].fixed_by(params)
        return found

    def families(self) -> tuple[str, ...]:
        """The families that it covers, in the order written."""
        for dimension in self.dimensions:
            if dimension.key == FAMILY and isinstance(dimension, Choice):
                return tuple(map(str, dimension.values))
        return (str(self.fixed[FAMILY]),)

    def contains(self, params: Mapping[str, Scalar]) -> bool:
        """Whether these parameters, all of them and no others, could be drawn."""
        return not self.strange(params)

    def strange(self, params: Mapping[str, Scalar]) -> dict[str, tuple[str, str]]:
        """What is wrong with parameters and the remedy, by key; empty where they could be drawn."""
        wrong: dict[str, tuple[str, str]] = {}
        seen = self._examine(params, wrong)
        owners = {key: choice.key for choice in self.walk() if isinstance(choice, Choice) for key in choice.enables}
        for key in params:
            if key in self.every_key() and key not in seen:
                other = f"choose another {owners[key]}" if key in owners else "leave it out"
                wrong[key] = ("does not vary here", other)
            elif key not in seen:
                wrong[key] = ("does not vary in this space", did_you_mean(key, self.every_key()))
        return wrong

    def size(self) -> int | None:
        """Number of configurations, none where the space is continuous."""
        sizes = [dimension.size for dimension in self.dimensions]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def describe(self, when: str = "") -> list[dict[str, str]]:
        """Rows of key, kind, range and condition, for people."""
        return list(self._rows(when))

    def every_key(self) -> Iterator[str]:
        """Every key that varies or is fixed, those of every branch included."""
        yield from self.fixed
        for dimension in self.dimensions:
            yield dimension.key
            if isinstance(dimension, Choice):
                yield from sorted(dimension.enables)

    def keys(self, name: str) -> Iterator[str]:
        """Every key that varies or is fixed for a family, whatever else is chosen."""
        yield from self.fixed
        for dimension in self.dimensions:
            yield dimension.key
            if isinstance(dimension, Choice):
                for value, space in dimension.options.items():
                    if dimension.key != FAMILY or value == name:
                        yield from space.keys(name)

    def values(self, key: str) -> Iterator[Scalar]:
        """Every value that a key is fixed at, or that it may be chosen of, in any branch."""
        if key in self.fixed:
            yield self.fixed[key]
        for dimension in self.dimensions:
            if isinstance(dimension, Choice):
                for value, space in dimension.options.items():
                    if dimension.key == key:
                        yield value
                    yield from space.values(key)

    def walk(self) -> Iterator[Dimension]:
        """Every dimension, those of every branch included."""
        for dimension in self.dimensions:
            yield dimension
            if isinstance(dimension, Choice):
                for space in dimension.options.values():
                    yield from space.walk()

    def _examine(self, params: Mapping[str, Scalar], wrong: dict[str, tuple[str, str]]) -> set[str]:
        seen: set[str] = set()
        for dimension in self.dimensions:
            seen.add(dimension.key)
            if dimension.key not in params:
                wrong[dimension.key] = ("missing", "give it a value")
            elif not dimension.contains(params[dimension.key]):
                wrong[dimension.key] = (f"{params[dimension.key]!r} is not in this space", f"it has: {dimension}")
            elif isinstance(dimension, Choice):
                seen |= dimension.options[params[dimension.key]]._examine(params, wrong)  # noqa: SLF001 - its own kind
        return seen

    def _rows(self, when: str) -> Iterator[dict[str, str]]:
        for key, value in self.fixed.items():
            yield {"key": key, "kind": "fixed", "range": str(value), "when": when}
        for dimension in self.dimensions:
            kind = type(dimension).__name__.lower()
            yield {"key": dimension.key, "kind": kind, "range": str(dimension), "when": when}
            if isinstance(dimension, Choice):
                for value, space in dimension.options.items():
                    yield from space._rows(f"{dimension.key} is {value}")  # noqa: SLF001 - its own kind


@dataclass(frozen=True, slots=True)
class _Prefer:
    """A suggester that answers with known values, and with a family's defaults where there are none."""

    space: SearchSpace
    known: Mapping[str, Scalar]
    name: str
    stored: int | None

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The known number, or the default moved into the bounds."""
        return Float(key=name, low=low, high=high, step=step, log=log).nearest(self._wanted(name))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The known whole number, or the default moved into the bounds."""
        wanted = self._wanted(name)
        if wanted is None and name == RESOLUTION:
            wanted = self.stored  # as the images are
        return Int(key=name, low=low, high=high, step=step, log=log).nearest(wanted)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """The known choice, or the default, or the first."""
        wanted = self._wanted(name)
        return wanted if any(wanted == choice and type(wanted) is type(choice) for choice in choices) else choices[0]

    def _wanted(self, name: str) -> Scalar:
        return self.known[name] if name in self.known else default_of(name, self.name)


def _within(value: Scalar, low: float, high: float) -> float:
    """A number moved into bounds; the lower one where it is no number."""
    number = float(value) if isinstance(value, (int, float)) else low
    return min(max(number, low), high)
