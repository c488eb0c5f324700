"""Folds are stratified, whole groups at a time, and the same for ever; scikit-learn's are the reference."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from isoflop.data.folds import folds
from isoflop.errors import DataError


def labels_of(counts: list[int]) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


def table(labels: np.ndarray, found: np.ndarray, count: int) -> np.ndarray:
    """Images of each class (classes, folds)."""
    made = np.zeros((labels.max() + 1, count), int)
    np.add.at(made, (labels, found), 1)
    return made


@given(counts=st.lists(st.integers(10, 60), min_size=2, max_size=6), count=st.integers(2, 10), seed=st.integers(0, 9))
def test_every_fold_has_its_share_of_every_class(counts: list[int], count: int, seed: int):
    labels = labels_of(counts)
    found = folds(labels, count, seed=seed)
    inside = table(labels, found, count)
    assert (np.ptp(inside, axis=1) <= 1).all()
    assert np.ptp(inside.sum(0)) <= 1
    theirs = sorted(len(test) for _, test in StratifiedKFold(count).split(labels, labels))
    assert sorted(inside.sum(0).tolist()) == theirs


def test_the_folds_of_a_seed_never_change():
    # Written down when first made: should it change, every cross-validation changes with it.
    labels = np.arange(60) % 3
    groups = [f"{at // 4}" for at in range(60)]
    plain, grouped = folds(labels, 5, seed=0), folds(labels, 5, seed=0, groups=groups)
    prints = [hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()[:16] for found in (plain, grouped)]
    assert prints == ["86393038e0776d97", "c3aa3e7bb7fd55f8"]
    assert (folds(labels, 5, seed=1) != plain).any()


@pytest.mark.parametrize("seed", range(4))
def test_groups_stay_together_about_as_balanced_as_scikit_learns(seed: int):
    generator = np.random.default_rng(seed)
    names = np.repeat(np.arange(60), generator.integers(1, 12, 60))
    labels = np.where(generator.random(len(names)) < 0.8, names % 3, generator.integers(0, 3, len(names)))
    found = folds(labels, 5, seed=seed, groups=[str(name) for name in names])
    assert all(len(set(found[names == name])) == 1 for name in range(60))
    theirs = np.empty(len(labels), int)
    for fold, (_, test) in enumerate(StratifiedGroupKFold(5).split(labels, labels, names)):
        theirs[test] = fold
    off = [(table(labels, one, 5).std(1) / table(labels, one, 5).mean(1)).max() for one in (found, theirs)]
    assert off[0] <= off[1] + 0.1


def test_images_without_a_group_are_dealt_one_by_one():
    labels = np.arange(40) % 2
    found = folds(labels, 4, seed=0, groups=["a"] * 6 + [None] * 34)
    assert len(set(found[:6])) == 1
    assert np.bincount(found).tolist() == [10, 10, 10, 10]


@pytest.mark.parametrize(
    ("labels", "count", "groups", "line"),
    [
        ([0, 0, 1, 1], 5, None, "data.folds: 5 folds are more than 4 images, or their groups, can fill; give fewer"),
        ([0, 0, 0, 1], 2, None, "class 1 is in one fold alone"),
        ([0, 0, 1, 1], 2, ["a", "a", "b", "b"], "class 0 is in one fold alone"),
    ],
)
def test_folds_that_cannot_be_trained_on_are_refused(labels, count, groups, line):
    with pytest.raises(DataError, match=line):
        folds(np.array(labels), count, seed=0, groups=groups)
