"""One training after another reads the same tensors; another data set takes their place."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from isoflop.data import open_prepared, prepare
from isoflop.data.resident import resident

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepare("synthetic", root=tmp_path).path


def test_tensors_are_the_files(folder: Path):
    prepared = open_prepared(folder)
    for split in ("train", "val", "test"):
        for found, stored in zip(resident(prepared, split, CPU), prepared.split(split), strict=True):
            assert np.array_equal(found.numpy(), stored)
            assert str(found.dtype).removeprefix("torch.") == str(stored.dtype)


def test_asking_again_maps_nothing(folder: Path):
    images, labels = resident(open_prepared(folder), "train", CPU)
    again, targets = resident(open_prepared(folder), "train", CPU)
    assert again is images
    assert targets is labels


def test_writing_to_them_changes_no_file(folder: Path):
    prepared = open_prepared(folder)
    resident(prepared, "val", CPU)[0].zero_()
    assert prepared.split("val")[0].any()


def test_a_set_that_was_prepared_anew_is_seen(folder: Path):
    before = resident(open_prepared(folder), "train", CPU)[0]
    kept = before.clone()
    prepare("synthetic", root=folder.parent, seed=1, replace=True)
    after = resident(open_prepared(folder), "train", CPU)[0]
    assert not torch.equal(after, before)
    assert torch.equal(before, kept)


def test_another_set_takes_its_place(folder: Path, tmp_path: Path):
    gone = weakref.ref(resident(open_prepared(folder), "train", CPU)[0])
    other = prepare("digits", root=tmp_path).path
    assert resident(open_prepared(other), "train", CPU)[0].shape[1:] == (1, 8, 8)
    assert gone() is None
