from __future__ import annotations

import json

import numpy as np
import pytest

from isoflop.data import listed, open_prepared, prepare, verify
from isoflop.errors import DataError


@pytest.fixture
def folder(tmp_path):
    return prepare("synthetic", root=tmp_path).path


def test_arrays_are_mapped_and_read_only(folder):
    images, labels = open_prepared(folder).split("train")
    assert isinstance(images, np.memmap)
    assert (str(images.dtype), str(labels.dtype)) == ("uint8", "int64")
    assert images.shape == (168, 1, 8, 8)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_facts_are_those_of_the_arrays(folder):
    prepared = open_prepared(folder)
    images, _ = prepared.split("train")
    assert prepared.mean == pytest.approx(tuple((images / 255).mean((0, 2, 3))))
    assert prepared.std == pytest.approx(tuple((images / 255).std((0, 2, 3))))
    for split, counts in prepared.manifest.counts.items():
        assert np.bincount(prepared.split(split)[1]).tolist() == list(counts)
    assert list(prepared.manifest.counts) == ["train", "val", "test"]


def test_keys_lead_back_to_the_source(folder):
    prepared = open_prepared(folder)
    keys = [key for split in ("train", "val", "test") for key in prepared.keys(split)]
    assert sorted(keys) == sorted(f"image/{place}" for place in range(240))


def test_what_was_never_prepared_says_what_to_run(tmp_path):
    with pytest.raises(DataError) as caught:
        open_prepared(tmp_path / "pets")
    assert str(caught.value) == "pets: this data set was never prepared; run: isoflop data prepare pets"


def test_unknown_split_is_refused(folder):
    with pytest.raises(DataError, match="did you mean 'train'"):
        open_prepared(folder).split("trian")


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_set_is_not_opened(folder, damage):
    path = folder / "val_images.npy"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"val_images.npy: .*prepare synthetic again"):
        open_prepared(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 1}', "\x00"])
def test_a_damaged_manifest_is_one_line(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="is damaged") as caught:
        open_prepared(folder)
    assert "\n" not in str(caught.value)


def test_another_schema_is_refused(folder):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(DataError, match="has schema 99"):
        open_prepared(folder)


def test_verify_finds_one_changed_pixel(folder):
    assert verify(folder).digest
    with (folder / "test_images.npy").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(DataError, match=r"test_images.npy: is not as it was written"):
        verify(folder)


def test_sets_are_listed_by_name_and_a_damaged_one_says_so(folder, tmp_path):
    other = prepare("digits", root=tmp_path).path
    (other / "val_images.npy").unlink()
    damaged, whole = listed(tmp_path)
    prepared = open_prepared(folder)
    assert whole == {
        "name": "synthetic",
        "task": "classification",
        "classes": len(prepared.classes),
        "image": "1x8x8",
        "train": 168,
        "val": 36,
        "test": 36,
        "size": sum(file.stat().st_size for file in folder.iterdir() if file.name != "manifest.json"),
        "digest": prepared.digest,
        "source": "synthetic",
    }
    assert (damaged["name"], damaged["digest"]) == ("digits", None)
    assert damaged["source"].endswith("prepare digits again, with --replace")
    assert listed(tmp_path / "nowhere") == []
