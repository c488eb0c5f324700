"""What a training sees of a prepared set: its fraction, its fold, groups kept together."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isoflop.config import DataConfig
from isoflop.data import PreparedData, open_prepared, prepare
from isoflop.data.portion import POOL, Portion, portion
from isoflop.errors import DataError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> PreparedData:
    return open_prepared(prepare("digits", root=tmp_path_factory.mktemp("data")).path)


def of(prepared: PreparedData, split: str, **config: object) -> Portion:
    return portion(prepared, split, DataConfig(name="x", **config))


def test_all_of_a_split_is_the_split_itself(prepared):
    for split in ("train", "val", "test"):
        found = of(prepared, split)
        assert (found.parts, found.places) == ((split,), None)
        assert np.array_equal(found.labels, prepared.split(split)[1])


def test_a_fraction_lies_inside_every_larger_one_and_changes_neither_validation_nor_test(prepared):
    seen: set[int] = set()
    for fraction in (0.1, 0.2, 0.75):
        found = of(prepared, "train", fraction=fraction)
        assert len(found) == DataConfig(name="x", fraction=fraction).images(1257)
        places = set(found.places.tolist())
        assert seen < places
        assert np.array_equal(found.labels, prepared.split("train")[1][found.places])
        seen = places
    assert of(prepared, "val", fraction=0.1).places is None
    assert of(prepared, "test", fraction=0.1).places is None


def test_every_image_of_train_and_val_validates_once_and_trains_in_the_other_folds(prepared):
    labels = np.concatenate([prepared.split(name)[1] for name in POOL])
    validated = []
    for fold in range(5):
        train, val = (of(prepared, split, folds=5, fold=fold) for split in POOL)
        assert train.parts == val.parts == POOL
        assert sorted([*train.places, *val.places]) == list(range(len(labels)))
        assert np.array_equal(val.labels, labels[val.places])
        validated += val.places.tolist()
    assert sorted(validated) == list(range(len(labels)))
    assert of(prepared, "test", folds=5).parts == ("test",)


def test_a_fraction_of_a_fold_is_of_what_trains(prepared):
    whole, part = (of(prepared, "train", folds=5, fold=2, fraction=fraction) for fraction in (1.0, 0.1))
    assert set(part.places) < set(whole.places)
    assert len(part) == round(len(whole) * 0.1)
    assert len(of(prepared, "val", folds=5, fold=2, fraction=0.1)) == len(of(prepared, "val", folds=5, fold=2))


def test_a_fraction_without_an_image_of_every_class_is_refused(prepared):
    with pytest.raises(DataError, match=r"data.fraction: 0.001 of 1257 images are 1, fewer than the 10 classes; give"):
        of(prepared, "train", fraction=0.001)


def test_images_of_a_group_are_never_on_both_sides(tmp_path: Path):
    rows = []
    for place in range(60):
        path = tmp_path / f"{place}.png"
        Image.fromarray(np.random.default_rng(place).integers(0, 256, (8, 8), np.uint8)).save(path)
        rows.append((path.name, "ab"[place % 2], f"patient {place // 3}"))
    with (tmp_path / "set.csv").open("w") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    made = open_prepared(prepare(str(tmp_path / "set.csv"), root=tmp_path / "data").path)
    origin = {key: group for key, _, group in rows}
    groups = [group for name in POOL for group in made.groups(name)]
    assert groups == [origin[key] for name in POOL for key in made.keys(name)]
    for fold in range(3):
        train, val = ({groups[at] for at in of(made, split, folds=3, fold=fold).places} for split in POOL)
        assert train
        assert val
        assert not train & val


def test_a_set_without_groups_says_none_for_each_image(prepared):
    assert prepared.groups("val") == [None] * 270
