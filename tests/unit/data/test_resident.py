"""One training after another reads the same tensors; another data set takes their place."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from isoflop.config import AugmentConfig, DataConfig
from isoflop.data import open_prepared, prepare
from isoflop.data.batches import Batches
from isoflop.data.feed import Feed
from isoflop.data.resident import kept_on, mapped, resident

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


def test_a_file_larger_than_memory_is_mapped(tmp_path: Path):
    """Linux refuses to map more than it has where it must set memory aside for writes."""
    images = np.lib.format.open_memmap(
        tmp_path / "large.npy", "w+", np.uint8, (4, 1, psutil.virtual_memory().total + psutil.swap_memory().total)
    )  # a file with a hole: it takes no room
    found = mapped(np.load(tmp_path / "large.npy", mmap_mode="r"))
    assert found.shape == images.shape
    assert found[3, 0, -1] == 0


def test_a_split_too_large_for_a_device_stays_on_the_host(folder: Path, monkeypatch: pytest.MonkeyPatch):
    prepared = open_prepared(folder)
    size = prepared.split("train")[0].nbytes
    device = torch.device("meta")
    for free, home in ((2 * size, device), (2 * size - 1, CPU), (None, device)):
        monkeypatch.setattr("isoflop.data.resident.free_memory", lambda _, free=free: free)
        assert kept_on(prepared, "train", device) == home


def test_what_is_there_already_stays_however_little_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch):
    prepared = open_prepared(folder)
    resident(prepared, "train", torch.device("meta"))
    monkeypatch.setattr("isoflop.data.resident.free_memory", lambda _: 0)
    assert kept_on(prepared, "train", torch.device("meta")) == torch.device("meta")
    assert kept_on(prepared, "val", torch.device("meta")) == CPU


def test_a_whole_split_is_fed_as_the_stored_tensor_itself(folder: Path):
    prepared = open_prepared(folder)
    feed = Feed.of(prepared, "train", DataConfig(name="x"), CPU)
    assert feed.images is resident(prepared, "train", CPU)[0]
    part = Feed.of(prepared, "train", DataConfig(name="x", fraction=0.25), CPU)
    assert part.home == CPU
    assert torch.equal(part.images[:9], feed.images[torch.from_numpy(part.portion.places[:9])])
    assert torch.equal(part.labels, feed.labels[torch.from_numpy(part.portion.places)])


def test_an_epoch_of_a_map_takes_memory_for_a_batch_alone(tmp_path: Path):
    count = 256
    stored = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (count, 3, 512, 256))
    stored[:] = np.arange(count, dtype=np.uint8)[:, None, None, None]
    stored.flush()
    images = mapped(np.load(tmp_path / "images.npy", mmap_mode="r"))
    split = Batches(images, torch.arange(count), mean=[0.0] * 3, std=[1.0] * 3, resolution=16, device=CPU)
    plain = AugmentConfig()
    split.at(0, size=4, seed=0, config=plain)
    before, seen, held = private(), [], []
    for step in range(count // 4):
        pixels, _ = split.at(step, size=4, seed=1, config=plain)
        seen += [round(float(one[0, 0, 0]) * 255) for one in pixels]
        held.append(private())
    assert sorted(seen) == list(range(count))
    assert max(held) - before < images.nbytes / 3


def private() -> int:
    """Bytes that this process holds for itself: what is mapped from files is left out."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))
