"""Non-dominated ranks against their definition."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.pareto import Direction, front, ranks

DIRECTIONS: tuple[Direction, ...] = ("maximize", "minimize", "maximize")
SIGNS = np.asarray([1, -1, 1])
rows = st.lists(st.tuples(*[st.integers(0, 6) for _ in DIRECTIONS]), max_size=25)


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    gain = (a - b) * SIGNS
    return bool((gain >= 0).all() and (gain > 0).any())


@settings(deadline=None, max_examples=60)
@given(rows)
def test_front_is_what_nothing_dominates(points: list[tuple[int, ...]]) -> None:
    data = np.asarray(points, dtype=float).reshape(-1, len(DIRECTIONS))
    alone = [i for i, row in enumerate(data) if not any(dominates(other, row) for other in data)]
    assert front(data, DIRECTIONS).tolist() == alone


@settings(deadline=None, max_examples=60)
@given(rows)
def test_each_rank_is_the_front_of_what_the_lower_ones_leave(points: list[tuple[int, ...]]) -> None:
    data = np.asarray(points, dtype=float).reshape(-1, len(DIRECTIONS))
    found = ranks(data, DIRECTIONS)
    for rank in set(found.tolist()):
        left = np.flatnonzero(found >= rank)
        assert left[front(data[left], DIRECTIONS)].tolist() == np.flatnonzero(found == rank).tolist()


def test_rows_with_a_nan_are_last_and_never_on_the_front() -> None:
    data = [[0.9, 5.0], [math.nan, 1.0], [0.8, 9.0], [0.95, math.nan]]
    assert ranks(data, ("maximize", "minimize")).tolist() == [1, 3, 2, 3]
    assert front(data, ("maximize", "minimize")).tolist() == [0]


def test_infinite_values_are_values() -> None:
    assert front([[math.inf, 1.0], [0.5, 0.5], [0.4, 1.0]], ("maximize", "minimize")).tolist() == [0, 1]


def test_fifty_thousand_rows_have_a_front_at_once() -> None:
    data = np.random.default_rng(0).random((50_000, 2))
    found = data[front(data, ("maximize", "minimize"))]
    by_cost = found[np.argsort(found[:, 1])]
    assert (np.diff(by_cost[:, 0]) > 0).all()
    assert by_cost[-1, 0] == data[:, 0].max()
