"""How far maps shrink."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isoflop.models.stride import LEAST, fitted


def shrunk(side: int, strides: list[int]) -> int:
    for stride in fitted(strides, side):
        side = -(-side // stride)
    return side


def test_large_maps_are_shrunk_as_published():
    assert list(fitted((1, 2, 2, 2), 56)) == [1, 2, 2, 2]


def test_a_stage_that_would_leave_too_little_does_not_shrink():
    assert list(fitted((1, 2, 2, 2), 8)) == [1, 2, 2, 1]
    assert list(fitted((1, 2, 2, 2), 2)) == [1, 1, 1, 1]


@given(st.integers(2, 300), st.lists(st.sampled_from([1, 2, 4]), max_size=8))
def test_no_map_is_smaller_than_the_least(side, strides):
    assert shrunk(side, strides) >= LEAST


@given(st.integers(2, 300), st.lists(st.sampled_from([1, 2]), max_size=8))
def test_a_larger_image_never_has_a_smaller_map(side, strides):
    assert shrunk(side, strides) <= shrunk(side + 1, strides)
