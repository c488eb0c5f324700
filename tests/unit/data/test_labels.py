"""Sets whose images have several labels: from a table to arrays, splits and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isoflop.data import check, open_prepared, prepare
from isoflop.data.source import SPLITS, Item
from isoflop.data.sources.attributes import attributes_source
from isoflop.data.sources.table import table_source
from isoflop.data.splits import Shares, split
from isoflop.errors import DataError
from isoflop.tasks import CLASSIFICATION, MULTILABEL

USUAL = Shares(val=0.15, test=0.15)


def several(seed: int, count: int, rates: tuple[float, ...], *, groups: int = 0) -> list[Item]:
    generator = np.random.default_rng(seed)
    hot = generator.random((count, len(rates))) < rates
    return [
        Item(
            key=f"{place:05}",
            label=tuple(np.flatnonzero(row).tolist()),
            group=str(generator.integers(groups)) if groups else None,
        )
        for place, row in enumerate(hot)
    ]


def shares(items: list[Item], found: np.ndarray, classes: int) -> np.ndarray:
    """Share of each class's images in each split (classes, 3), of the images without a class in the last row."""
    hot = np.zeros((len(items), classes + 1))
    for row, item in enumerate(items):
        hot[row, list(item.classes) or [classes]] = 1
    parts = np.stack([hot[found == at].sum(0) for at in range(3)], 1)
    return parts / parts.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(4))
def test_every_label_comes_near_its_share_of_every_split(seed: int):
    rates = (0.5, 0.2, 0.05, 0.02)
    items = several(seed, 1500, rates)
    found = split(items, USUAL, seed=seed, classes="abcd")
    np.testing.assert_allclose(np.bincount(found, minlength=3) / 1500, (0.7, 0.15, 0.15), atol=0.01)
    counts = np.array([sum(at in item.classes for item in items) for at in range(4)])
    off = np.abs(shares(items, found, 4) - (0.7, 0.15, 0.15))
    assert (off[:4] * counts[:, None] <= 3).all(), "a class is out by more than three images"
    assert off[4].max() < 0.02
    assert (split(items, USUAL, seed=seed, classes="abcd") == found).all()
    assert (split(items, USUAL, seed=seed + 1, classes="abcd") != found).any()


def test_a_label_of_one_image_stays_in_train():
    items = [*several(0, 200, (0.5, 0.3, 0.0)), Item(key="z", label=(1, 2))]
    found = split(items, USUAL, seed=0, classes="abc")
    assert found[-1] == 0


def test_groups_stay_whole_where_images_have_several_labels():
    items = several(1, 600, (0.5, 0.2), groups=60)
    found = split(items, USUAL, seed=0, classes="ab")
    homes: dict[str | None, set[int]] = {}
    for item, at in zip(items, found, strict=True):
        homes.setdefault(item.group, set()).add(int(at))
    assert all(len(where) == 1 for where in homes.values())
    np.testing.assert_allclose(shares(items, found, 2), np.tile((0.7, 0.15, 0.15), (3, 1)), atol=0.06)


class TestTables:
    def write(self, folder: Path, header: str, rows: list[str]) -> Path:
        generator = np.random.default_rng(0)
        for place in range(len(rows)):
            Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{place}.png")
        table = folder / "set.csv"
        table.write_text("\n".join([header, *(f"{place}.png,{row}" for place, row in enumerate(rows))]))
        return table

    def test_labels_stand_in_one_cell_or_in_columns(self, tmp_path: Path):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        cells = self.write(tmp_path / "a", "path,labels", ["dog|cat", "cat;cat", "", "elk"])
        columns = self.write(tmp_path / "b", "path,dog,cat,elk", ["1,1,0", "0,1,", "0,0,0", "0.0,0,1.0"])
        expected = [(0, 1), (0,), (), (2,)]
        for table in (cells, columns):
            source = table_source(table)
            assert source.classes == ("cat", "dog", "elk")
            assert [item.label for item in source.items] == expected

    def test_what_is_no_mark_is_named_with_its_line(self, tmp_path: Path):
        table = self.write(tmp_path, "path,dog,cat", ["1,0", "yes,-1"])
        with pytest.raises(DataError) as caught:
            table_source(table)
        assert [str(fault).partition("set.csv:")[2] for fault in caught.value.faults] == [
            "3: dog is 'yes'; write 1 where the image has it, else 0",
            "3: cat is '-1'; write 1 where the image has it, else 0",
        ]

    @pytest.mark.parametrize("header", ["path,lable,note", "path,dog"])
    def test_other_columns_are_no_classes(self, tmp_path: Path, header: str):
        with pytest.raises(DataError, match=r"has no column 'label'; .* path,labels, or path and a column of 0 and 1"):
            table_source(self.write(tmp_path, header, ["dog,blurred"]))

    def test_a_prepared_table_says_its_task_and_counts_images_once(self, tmp_path: Path):
        rows = ["cat|dog", "cat", "dog", "", "cat|dog|elk"] * 12
        made = prepare(str(self.write(tmp_path, "path,labels", rows)), root=tmp_path / "data")
        assert made.manifest.task == MULTILABEL.name
        assert sum(made.manifest.sizes.values()) == 60
        assert sum(made.manifest.counts["train"]) > made.manifest.sizes["train"]
        prepared = open_prepared(made.path)
        for name in SPLITS:
            images, labels = prepared.split(name)
            assert labels.dtype == np.uint8
            assert labels.shape == (len(images), 3)
            assert labels.sum(0).tolist() == list(made.manifest.counts[name])
            for key, row in zip(prepared.keys(name), labels, strict=True):
                wanted = rows[int(key.removesuffix(".png"))]
                assert "|".join(np.array(prepared.classes)[row > 0]) == wanted
        assert made.lines()[0].startswith("prepared set: 60 images, 3 classes (multilabel), digest ")
        assert not prepare(str(tmp_path / "set.csv"), root=tmp_path / "data").fresh


def test_a_set_of_several_labels_is_checked(tmp_path: Path):
    made = prepare("digits_attributes", root=tmp_path)
    report = check(made.path)
    assert report.healthy
    assert "all       1253     272     272" in "\n".join(report.lines())
    assert open_prepared(made.path).task is MULTILABEL


def test_equal_pixels_under_other_labels_are_named_in_words(tmp_path: Path):
    table = TestTables().write(tmp_path, "path,labels", ["cat|dog", "cat", "dog", "cat"] * 12)
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "3.png").write_bytes((tmp_path / "7.png").read_bytes())
    report = check(table)
    assert report.conflicts == 1
    (pair,) = report.examples["conflict"]
    assert set(pair.classes) == {"cat | dog", "cat"}


def test_what_is_true_of_the_digits():
    source = attributes_source()
    named = {item.key: {source.classes[at] for at in item.classes} for item in source.items[:10]}
    assert named["image/4"] == {"even", "square"}
    assert named["image/2"] == {"even", "prime"}
    assert named["image/0"] == {"even", "square", "loop"}
    assert source.classes == ("even", "prime", "square", "loop")


def test_older_manifests_say_no_sizes(tmp_path: Path):
    made = prepare("synthetic", root=tmp_path)
    path = made.path / "manifest.json"
    values = json.loads(path.read_bytes())
    del values["sizes"]
    path.write_text(json.dumps(values))
    assert open_prepared(made.path).manifest.sizes == made.manifest.sizes
    assert open_prepared(made.path).task is CLASSIFICATION


def test_unlike_classes_are_said_with_the_remedy(tmp_path: Path):
    rows = ["cat|dog"] * 30 + ["dog"] * 60 + ["elk"] * 10
    made = prepare(str(TestTables().write(tmp_path, "path,labels", rows)), root=tmp_path / "data")
    (said,) = [line for line in made.lines() if line.startswith("notice")]
    assert said.startswith("notice: balance: 'dog' has 6")
    assert "objectives: [val_macro_f1], and loss.class_weights: balanced" in said
