"""Walks a space of conditional dimensions: along known parameters, or drawing new ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from isoflop.families import Scalar
from isoflop.space import Choice, Dimension, Float, Int, SearchSpace

Identity: TypeAlias = tuple[tuple[str, str, Scalar], ...]
"""What tells one configuration from another: `True` and `1` are two values."""


def draw(space: SearchSpace, value: Callable[[Dimension], Scalar]) -> dict[str, Scalar]:
    """A configuration of the values given; a dimension that no choice enables is not asked for."""
    params: dict[str, Scalar] = {}
    for dimension in space.dimensions:
        params[dimension.key] = found = value(dimension)
        if isinstance(dimension, Choice):
            params |= draw(dimension.options[found], value)
    return params


def active(space: SearchSpace, params: Mapping[str, Scalar]) -> Iterator[Dimension]:
    """The dimensions that vary under these parameters, in the order of the space."""
    for dimension in space.dimensions:
        yield dimension
        if isinstance(dimension, Choice):
            yield from active(dimension.options[params[dimension.key]], params)


def identity(params: Mapping[str, Scalar]) -> Identity:
    """What tells these parameters from others, whatever their order."""
    return tuple(sorted((key, type(value).__name__, value) for key, value in params.items()))


@dataclass(frozen=True, slots=True)
class Walk:
    """The configurations of a space in a fixed order; a continuous dimension is cut into so many values."""

    space: SearchSpace
    cuts: int = 5

    def __len__(self) -> int:
        """How many there are."""
        return _size(self.space, self.cuts)

    def __getitem__(self, place: int) -> dict[str, Scalar]:
        """The configuration at a place in [0, len)."""
        return _decode(self.space, place, self.cuts)


def at(dimension: Float | Int, share: float) -> float | int:
    """The value at a share in [0, 1] of a range, each value of a stepped range having an equal part of it.

    A whole number on a logarithmic range has the part of the half-open interval around it, as in `suggester`.
    """
    share = min(max(share, 0.0), 1.0)
    if isinstance(dimension, Int) and dimension.log:
        low, high = math.log(dimension.low - 0.5), math.log(dimension.high + 0.5)
        return dimension.nearest(round(math.exp(low + share * (high - low))))
    if isinstance(dimension, Int):
        return dimension.low + dimension.step * min(int(share * dimension.size), dimension.size - 1)
    if dimension.step is not None:
        size = dimension.size or 1
        return dimension.at(min(int(share * size), size - 1))
    if dimension.log:
        low, high = math.log(dimension.low), math.log(dimension.high)
        return dimension.nearest(math.exp(low + share * (high - low)))
    return dimension.nearest(dimension.low + share * (dimension.high - dimension.low))


def _size(space: SearchSpace, cuts: int) -> int:
    return math.prod(_values(dimension, cuts) for dimension in space.dimensions)


def _values(dimension: Dimension, cuts: int) -> int:
    if isinstance(dimension, Choice):
        return sum(_size(space, cuts) for space in dimension.options.values())
    return dimension.size or cuts


def _decode(space: SearchSpace, place: int, cuts: int) -> dict[str, Scalar]:
    params: dict[str, Scalar] = {}
    for dimension in space.dimensions:
        place, digit = divmod(place, _values(dimension, cuts))
        if not isinstance(dimension, Choice):
            params[dimension.key] = _at_digit(dimension, digit, cuts)
            continue
        for value, inner in dimension.options.items():
            size = _size(inner, cuts)
            if digit < size:
                params |= {dimension.key: value, **_decode(inner, digit, cuts)}
                break
            digit -= size
    return params


def _at_digit(dimension: Float | Int, digit: int, cuts: int) -> float | int:
    if isinstance(dimension, Int):
        return dimension.low + digit * dimension.step
    return dimension.at(digit) if dimension.step else at(dimension, digit / max(cuts - 1, 1))
