"""Configurations as rows of numbers, a column for each dimension of the space, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from isoflop.families import Scalar
from isoflop.planning.samplers.column import Column, Floats
from isoflop.planning.samplers.walk import Walk, active, draw
from isoflop.space import Choice, Dimension, SearchSpace

Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Coding:
    """Rows of a space: (rows, columns), with NaN where a dimension is not active."""

    space: SearchSpace

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """One a dimension; those of one key with the same bounds share it, in whatever branch they stand."""
        return tuple(self._numbered[1])

    @cached_property
    def varying(self) -> Flags:
        """Which columns have more than one value."""
        return np.array([column.varies for column in self.columns], dtype=np.bool_)

    @cached_property
    def whole(self) -> Floats:
        """Every configuration of a finite space."""
        walk = Walk(self.space)
        return np.array([self.encode(walk[place]) for place in range(len(walk))])

    def encode(self, params: Mapping[str, Scalar]) -> Floats:
        """A configuration as a row."""
        row = np.full(len(self.columns), np.nan)
        for dimension in active(self.space, params):
            number = self._number(dimension)
            row[number] = self.columns[number].place(params[dimension.key])
        return row

    def decode(self, row: Floats) -> dict[str, Scalar]:
        """The configuration of a row."""

        def value(dimension: Dimension) -> Scalar:
            number = self._number(dimension)
            return self.columns[number].value(float(row[number]))

        return draw(self.space, value)

    def draw(self, chance: np.random.Generator, size: int) -> Floats:
        """So many rows at random."""
        return self._cleared(self._genes(chance, size))

    def mutate(self, chance: np.random.Generator, rows: Floats) -> Floats:
        """Each row with one of its active dimensions moved; what a move enables is drawn."""
        moved = self._filled(chance, rows)
        weight = np.where(np.isnan(rows) | ~self.varying, -1.0, chance.random(rows.shape))
        chosen = np.argmax(weight, axis=1)
        for number in np.unique(chosen):
            here = chosen == number
            moved[here, number] = self.columns[number].move(chance, moved[here, number])
        return self._cleared(moved)

    def cross(self, chance: np.random.Generator, mothers: Floats, fathers: Floats) -> Floats:
        """Rows with each dimension from either parent; what neither of them has is drawn."""
        swap = chance.random(mothers.shape) < 0.5
        first, second = np.where(swap, fathers, mothers), np.where(swap, mothers, fathers)
        mixed = np.where(np.isnan(first), second, first)
        return self._cleared(self._filled(chance, mixed))

    def _genes(self, chance: np.random.Generator, size: int) -> Floats:
        """Rows with a number in every column, active or not."""
        return np.column_stack([column.draw(chance, size) for column in self.columns])

    def _filled(self, chance: np.random.Generator, rows: Floats) -> Floats:
        """Rows with numbers drawn for what is not active."""
        off = np.isnan(rows)
        return np.where(off, self._genes(chance, len(rows)), rows) if off.any() else rows.copy()

    def _cleared(self, genes: Floats) -> Floats:
        """Rows without the numbers of dimensions that are not active."""
        on = np.zeros(genes.shape, dtype=np.bool_)
        self._mark(self.space, genes, on, np.ones(len(genes), dtype=np.bool_))
        return np.where(on, genes, np.nan)

    def _mark(self, space: SearchSpace, genes: Floats, on: Flags, rows: Flags) -> None:
        """Note the columns that are active in some rows."""
        for dimension in space.dimensions:
            number = self._number(dimension)
            on[:, number] |= rows
            if isinstance(dimension, Choice):
                for place, inner in enumerate(dimension.options.values()):
                    if inner.dimensions:
                        self._mark(inner, genes, on, rows & (genes[:, number] == place))

    def _number(self, dimension: Dimension) -> int:
        return self._numbered[0][id(dimension)]

    @cached_property
    def _numbered(self) -> tuple[dict[int, int], list[Column]]:
        """The column of each dimension, by the dimension's identity, which lasts as long as the space; the columns."""
        known: dict[tuple[str, str], int] = {}
        columns: list[Column] = []
        numbers: dict[int, int] = {}
        for dimension in self.space.walk():
            bounds = repr(dimension.values) if isinstance(dimension, Choice) else repr(dimension)
            number = known.setdefault((dimension.key, bounds), len(columns))
            if number == len(columns):
                columns.append(Column(dimension))
            numbers[id(dimension)] = number
        return numbers, columns
