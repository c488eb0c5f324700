"""What suggestions may see: how far back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.planning.view import distances


@pytest.mark.parametrize(
    ("look_ahead", "levels", "expected"),
    [
        (4, (1, 3, 9), {1: 4, 3: 14, 9: 38}),
        (1, (1, 3, 9), {1: 1, 3: 3, 9: 9}),
        (3, (2, 5), {2: 3, 5: 9}),
        (5, (7,), {7: 5}),
    ],
)
def test_a_later_report_is_seen_from_further_back(look_ahead: int, levels: tuple[int, ...], expected: dict[int, int]):
    assert distances(look_ahead, levels) == expected


@given(look_ahead=st.integers(1, 100), levels=st.sets(st.integers(1, 100), min_size=1).map(sorted))
def test_a_later_report_is_never_seen_from_nearer(look_ahead: int, levels: list[int]):
    found = list(distances(look_ahead, levels).values())
    assert found == sorted(found)
    assert found[0] == look_ahead
