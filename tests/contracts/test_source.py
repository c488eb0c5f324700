"""What every data source promises, whatever it is made of."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isoflop.data import Source, open_prepared
from isoflop.data.preparation import prepare_source
from isoflop.data.source import SPLITS
from isoflop.data.sources.class_folders import folder_source
from isoflop.data.sources.digits import digits_source
from isoflop.data.sources.downloads import cifar_source, fashion_source
from isoflop.data.sources.idx import FILES, idx_source
from isoflop.data.sources.synthetic import synthetic_source
from isoflop.data.sources.table import table_source


def pictures(folder: Path, *, count: int = 8, seed: int = 0) -> list[Path]:
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    paths = [folder / f"{place}.png" for place in range(count)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (12, 10, 3), np.uint8)).save(path)
    return paths


def idx_files(folder: Path, *, packed: bool) -> Path:
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for (images, labels), count in zip(FILES.values(), (60, 20), strict=True):
        pixels = generator.integers(0, 256, (count, 9, 9), np.uint8)
        for name, head, data in (
            (images, struct.pack(">4B3I", 0, 0, 8, 3, count, 9, 9), pixels.tobytes()),
            (labels, struct.pack(">4BI", 0, 0, 8, 1, count), bytes(place % 10 for place in range(count))),
        ):
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(head + data) if packed else head + data)
    return folder


class Downloaded:
    """As torchvision gives its sets: numpy images, a list of labels, names."""

    classes = ("ship", "truck")

    def __init__(self, name: str, folder: Path, train: bool) -> None:
        count = 40 if train else 10
        self.data = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), np.uint8)
        self.targets = [place % 2 for place in range(count)]


def class_folders(root: Path) -> Source:
    for seed, name in enumerate(("cat", "dog", "été")):
        pictures(root / name, seed=seed)
    return folder_source(root)


def split_folders(root: Path) -> Source:
    for seed, (split, name) in enumerate((s, n) for s in ("train", "valid", "test") for n in ("cat", "dog")):
        pictures(root / split / name, seed=seed)
    return folder_source(root)


def table(root: Path) -> Source:
    paths = pictures(root / "all", count=24)
    rows = [f"all/{path.name},{'ab'[place % 2]},g{place // 3}" for place, path in enumerate(paths)]
    (root / "set.csv").write_text("\n".join(["path,label,group", *rows]))
    return table_source(root / "set.csv")


def downloaded_idx(cache: Path) -> Source:
    idx_files(cache / "FashionMNIST" / "raw", packed=True)
    return fashion_source(cache, Downloaded, installed=cache / "nothing")


MAKERS: dict[str, Callable[[Path], Source]] = {
    "digits": lambda _: digits_source(),
    "synthetic": lambda _: synthetic_source(),
    "colour": lambda _: synthetic_source(channels=3, size=16),
    "idx": lambda root: idx_source(idx_files(root / "numbers", packed=False)),
    "idx.gz": lambda root: idx_source(idx_files(root / "numbers", packed=True)),
    "fashion_mnist": downloaded_idx,
    "cifar10": lambda root: cifar_source("cifar10", root, Downloaded),
    "class folders": class_folders,
    "split folders": split_folders,
    "table": table,
}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Source]:
    return lambda place: MAKERS[request.param](tmp_path / place / "set")


class TestSource:
    def test_labels_are_classes(self, make):
        source = make("a")
        assert len(source.classes) >= 2
        assert {item.label for item in source.items} <= set(range(len(source.classes)))

    def test_keys_name_one_item_each(self, make):
        keys = [item.key for item in make("a").items]
        assert keys
        assert len(set(keys)) == len(keys)

    def test_own_splits_have_our_names(self, make):
        assert {item.split for item in make("a").items} <= {None, *SPLITS}

    def test_probe_tells_what_read_gives(self, make):
        source = make("a")
        for index in (0, len(source.items) - 1):
            pixels, probe = source.read(index), source.probe(index)
            assert pixels.dtype == np.uint8
            assert pixels.shape == (probe.height, probe.width, 1 if probe.grey else 3)

    def test_content_decides_the_fingerprint_and_the_place_does_not(self, make):
        first, second = make("a"), make("b")
        assert first.fingerprint() == second.fingerprint()
        assert [item.key for item in first.items] == [item.key for item in second.items]
        np.testing.assert_array_equal(first.read(3), second.read(3))

    def test_it_can_be_prepared(self, make, tmp_path):
        source = make("a")
        prepared = open_prepared(prepare_source(source, root=tmp_path / "prepared", name="set").path)
        assert prepared.classes == tuple(source.classes)
        assert sum(prepared.manifest.sizes.values()) == len(source.items)
        for split in SPLITS:
            images, labels = prepared.split(split)
            assert images.shape == (len(labels), *prepared.shape)
            assert len(labels)


def test_fingerprints_of_different_content_differ(tmp_path):
    found = [maker(tmp_path / str(place)).fingerprint() for place, maker in enumerate(MAKERS.values())]
    # Packed, unpacked and downloaded files hold the same images; only the names of the classes differ in the third.
    assert len(set(found)) == len(found) - 1
    assert found[list(MAKERS).index("idx")] == found[list(MAKERS).index("idx.gz")]
