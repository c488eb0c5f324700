"""Every beginning is stratified, and the same for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.data.nested import drawn, nested

COUNTS = st.lists(st.integers(1, 50), min_size=1, max_size=8)


def labels_of(counts: list[int]) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@given(counts=COUNTS, share=st.floats(0, 1), seed=st.integers(0, 9))
def test_every_beginning_holds_each_class_in_its_share(counts: list[int], share: float, seed: int):
    labels = labels_of(counts)
    order = drawn(labels, seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    length = max(len(counts), round(share * len(labels)))
    found = np.bincount(labels[order[:length]], minlength=len(counts))
    assert found.min() >= 1
    # The first of each class comes early whatever its share, and that is what others may lack.
    assert (np.abs(found - np.array(counts) * length / len(labels)) <= len(counts)).all()


def test_of_large_classes_a_tenth_is_a_tenth_of_each():
    labels = labels_of([1000, 500, 100])
    assert np.bincount(labels[drawn(labels, 0)[:160]]).tolist() == [100, 50, 10]


def test_the_draw_of_a_seed_never_changes():
    # Written down when first made: should it change, every fraction of a set changes with it.
    found = drawn(np.arange(100) % 7, 0).astype("<i8")
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "d1335171ae709b94"
    assert (found != drawn(np.arange(100) % 7, 1)).any()


@pytest.mark.parametrize("sign", [1, -1])
def test_inside_a_class_the_smallest_values_come_first(sign: int):
    labels = labels_of([20, 30])
    values = sign * np.random.default_rng(1).random(50)
    order = nested(labels, values)
    for label in (0, 1):
        inside = order[labels[order] == label]
        assert (np.diff(values[inside]) >= 0).all()
