from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.data.source import Item
from isoflop.data.splits import Shares, split
from isoflop.errors import DataError

USUAL = Shares(val=0.15, test=0.15)


def items(counts, *, groups=None, own=None) -> list[Item]:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [
        Item(
            key=f"{place:05}",
            label=label,
            group=None if groups is None else groups[place],
            split=None if own is None else own[place],
        )
        for place, label in enumerate(labels)
    ]


def names(count: int) -> list[str]:
    return [f"class {label}" for label in range(count)]


def test_the_split_of_a_seed_never_changes():
    # The number was written down when this was first made: should it change, every prepared set changes with it.
    found = split(items([40, 30, 30]), USUAL, seed=0, classes=names(3))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "6b0453f4fadf9439"


def test_another_seed_is_another_split_of_the_same_sizes():
    first, second = (split(items([40, 30, 30]), USUAL, seed=seed, classes=names(3)) for seed in (0, 1))
    assert (first != second).any()
    np.testing.assert_array_equal(np.bincount(first), np.bincount(second))


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=8),
    val=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_every_class_gives_its_share(counts, val, test, seed):
    counts = [*counts, 30]
    made = items(counts)
    found = split(made, Shares(val=val, test=test), seed=seed, classes=names(len(counts)))
    labels = np.array([item.label for item in made])
    for label, count in enumerate(counts):
        train, vals, tests = np.bincount(found[labels == label], minlength=3)
        assert train >= 1
        assert abs(tests - test * count) <= 1
        assert abs(vals - val * count) <= 2
        if count >= 3:
            assert vals >= 1
            assert tests >= 1


def test_shares_are_exact_where_they_can_be():
    found = split(items([600] * 10), Shares(val=1 / 12, test=0.25), seed=3, classes=names(10))
    assert np.bincount(found).tolist() == [4000, 500, 1500]


def test_the_test_split_does_not_depend_on_the_share_of_validation():
    made = items([50, 70])
    first, second = (split(made, Shares(val=val, test=0.2), seed=5, classes=names(2)) for val in (0.1, 0.3))
    np.testing.assert_array_equal(first == 2, second == 2)


def test_own_splits_hold_and_only_train_gives():
    own = ["train", "test"] * 50
    found = split(items([50, 50], own=own), Shares(val=0.2, test=0), seed=0, classes=names(2))
    np.testing.assert_array_equal(found == 2, np.array(own) == "test")
    assert (found == 1).sum() == 10


def test_groups_never_straddle():
    generator = np.random.default_rng(0)
    groups = [f"g{group}" for group in generator.integers(0, 40, 300)]
    made = items([150, 100, 50], groups=groups)
    found = split(made, USUAL, seed=0, classes=names(3))
    homes = {(group, int(home)) for group, home in zip(groups, found, strict=True)}
    assert len(homes) == len(set(groups))
    assert np.abs(np.bincount(found) / 300 - [0.7, 0.15, 0.15]).max() < 0.05
    labels = np.array([item.label for item in made])
    for label, count in enumerate((150, 100, 50)):
        assert np.bincount(found[labels == label], minlength=3).min() >= 0.05 * count


def test_three_large_groups_fill_three_splits():
    groups = [f"g{place % 3}" for place in range(30)]
    found = split(items([15, 15], groups=groups), USUAL, seed=0, classes=names(2))
    assert np.bincount(found).tolist() == [10, 10, 10]


def test_a_group_in_two_own_splits_is_refused():
    made = items([2, 2], groups=["a", "b", "a", "b"], own=["train", "train", "test", "train"])
    with pytest.raises(DataError, match="group 'a': stands in train and in test"):
        split(made, Shares(val=0.2, test=0), seed=0, classes=names(2))


def test_two_groups_cannot_fill_three_splits():
    with pytest.raises(DataError, match="is empty"):
        split(items([4, 4], groups=["a", "b"] * 4), USUAL, seed=0, classes=names(2))


def test_a_class_that_is_only_in_test_is_refused():
    own = ["train"] * 10 + ["test"] * 5
    with pytest.raises(DataError, match="class 'class 1': has no readable image to train on"):
        split(items([10, 5], own=own), Shares(val=0.2, test=0), seed=0, classes=names(2))


@pytest.mark.parametrize(
    ("own", "val", "test", "words"),
    [
        (set(), 0.0, None, "val: 0 is no share"),
        (set(), None, 1.5, "test: 1.5 is no share"),
        (set(), 0.5, 0.5, "leave nothing to train on"),
        ({"test"}, None, 0.2, "has a test split of its own"),
    ],
)
def test_shares_that_cannot_be_had(own, val, test, words):
    with pytest.raises(DataError, match=words):
        Shares.of(frozenset(own), val, test)


def test_a_split_of_its_own_takes_no_share():
    assert Shares.of(frozenset({"train", "test"}), None, None, 1 / 12) == Shares(val=1 / 12, test=0)
