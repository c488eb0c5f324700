from __future__ import annotations

import gzip
import struct
import unicodedata

import numpy as np
import pytest
from PIL import Image

from isoflop.data import open_prepared, prepare
from isoflop.data.sources.class_folders import folder_source
from isoflop.data.sources.downloads import torchvision_download
from isoflop.data.sources.find import find_source
from isoflop.data.sources.idx import CLOTHES, FILES, idx_source
from isoflop.data.sources.table import table_source
from isoflop.errors import DataError


def picture(path, seed=0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)).save(path)


def tree(root, *names, count=6):
    for place, name in enumerate(names):
        for image in range(count):
            picture(root / name / f"{image}.png", seed=100 * place + image)
    return root


class TestFolders:
    def test_splits_by_their_usual_names(self, tmp_path):
        tree(tmp_path, "Train/a", "Train/b", "validation/a", "validation/b", "test/a", "test/b")
        source = folder_source(tmp_path)
        assert {item.split for item in source.items} == {"train", "val", "test"}
        assert source.classes == ("a", "b")

    def test_a_missing_split_is_taken_from_train(self, tmp_path):
        tree(tmp_path / "set", "train/a", "train/b", "test/a", "test/b", count=20)
        sizes = prepare(str(tmp_path / "set"), root=tmp_path / "x").manifest.sizes
        assert sizes == {"train": 34, "val": 6, "test": 40}

    def test_a_class_may_be_called_train(self, tmp_path):
        tree(tmp_path, "train", "car", "bus")
        assert folder_source(tmp_path).classes == ("bus", "car", "train")

    def test_splits_with_something_beside_them_are_refused(self, tmp_path):
        tree(tmp_path, "train/a", "train/b", "test/a", "extra/a")
        with pytest.raises(DataError, match="'extra' beside them"):
            folder_source(tmp_path)

    def test_two_names_of_one_split_are_refused(self, tmp_path):
        tree(tmp_path, "train/a", "train/b", "val/a", "valid/a")
        with pytest.raises(DataError, match="'val' and 'valid' are both the val split"):
            folder_source(tmp_path)

    def test_classes_that_are_numbers_are_ordered_as_numbers(self, tmp_path):
        tree(tmp_path, "10", "9", "1", count=1)
        assert folder_source(tmp_path).classes == ("1", "9", "10")

    def test_names_are_in_one_unicode_form(self, tmp_path):
        tree(tmp_path, unicodedata.normalize("NFD", "été"), "犬", "two words", count=1)
        assert folder_source(tmp_path).classes == ("two words", "été", "犬")

    def test_images_deeper_in_a_class_count(self, tmp_path):
        tree(tmp_path, "a/x/y", "b")
        keys = [item.key for item in folder_source(tmp_path).items]
        assert "a/x/y/0.png" in keys
        assert len(keys) == 12

    @pytest.mark.parametrize("names", [(), ("a",)])
    def test_fewer_than_two_classes_are_refused_in_one_line(self, tmp_path, names):
        tree(tmp_path, *names)
        with pytest.raises(DataError, match=r"holds (no|one) class") as caught:
            folder_source(tmp_path)
        assert "\n" not in str(caught.value)

    def test_an_empty_class_is_named(self, tmp_path):
        tree(tmp_path / "set", "a", "b")
        (tmp_path / "set" / "c").mkdir()
        with pytest.raises(DataError, match="class 'c': has no readable image"):
            prepare(str(tmp_path / "set"), root=tmp_path / "x")
        assert list((tmp_path / "x").iterdir()) == []


class TestLinks:
    @pytest.mark.parametrize("kind", ["file", "folder", "class", "dangling"])
    def test_a_link_that_leaves_the_folder_is_refused(self, tmp_path, kind):
        tree(tmp_path / "set", "a", "b")
        picture(tmp_path / "secret" / "s.png")
        place, target = {
            "file": ("a/link.png", "secret/s.png"),
            "folder": ("a/more", "secret"),
            "class": ("c", "secret"),
            "dangling": ("a/gone.png", "nowhere/s.png"),
        }[kind]
        (tmp_path / "set" / place).symlink_to(tmp_path / target)
        with pytest.raises(DataError, match="is a link that leaves the folder"):
            folder_source(tmp_path / "set")

    def test_a_link_within_the_folder_is_a_file_like_others(self, tmp_path):
        tree(tmp_path, "a", "b")
        (tmp_path / "a" / "link.png").symlink_to(tmp_path / "b" / "0.png")
        source = folder_source(tmp_path)
        assert len(source.items) == 13
        assert source.read([item.key for item in source.items].index("a/link.png")).shape == (9, 9, 3)

    def test_a_loop_is_refused(self, tmp_path):
        tree(tmp_path, "a", "b")
        (tmp_path / "a" / "loop").symlink_to(tmp_path)
        with pytest.raises(DataError, match="is a link to a folder"):
            folder_source(tmp_path)

    def test_the_root_itself_may_be_a_link(self, tmp_path):
        tree(tmp_path / "real", "a", "b")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        assert len(folder_source(tmp_path / "link").items) == 12


class TestTable:
    def write(self, tmp_path, *lines):
        (tmp_path / "set.csv").write_text("\n".join(lines), encoding="utf-8-sig")
        return tmp_path / "set.csv"

    def test_paths_count_from_the_table_and_columns_may_stand_in_any_order(self, tmp_path, monkeypatch):
        tree(tmp_path, "pics")
        monkeypatch.chdir("/")
        source = table_source(self.write(tmp_path, "Label, path", "x,pics/0.png", '"y, z",pics/1.png', ""))
        assert source.classes == ("x", "y, z")
        assert source.read(0).shape == (9, 9, 3)

    def test_own_splits(self, tmp_path):
        rows = [f"{n}.png,{'xy'[n % 2]},{('train', 'Valid', 'test', '')[n // 2]}" for n in range(8)]
        source = table_source(self.write(tmp_path, "path,label,split", *rows))
        assert [item.split for item in source.items] == ["train"] * 2 + ["val"] * 2 + ["test"] * 2 + ["train"] * 2

    def test_groups_never_straddle(self, tmp_path):
        tree(tmp_path, "pics", count=60)
        rows = [f"pics/{n}.png,{'xy'[n % 2]},person {n // 4}" for n in range(60)]
        done = prepare(str(self.write(tmp_path, "path,label,group", *rows)), root=tmp_path / "x")
        homes: dict[int, set[str]] = {}
        for split in ("train", "val", "test"):
            for key in open_prepared(done.path).keys(split):
                homes.setdefault(int(key.split("/")[1].split(".")[0]) // 4, set()).add(split)
        assert {len(found) for found in homes.values()} == {1}
        assert set.union(*homes.values()) == {"train", "val", "test"}

    def test_a_missing_file_is_quarantined(self, tmp_path):
        tree(tmp_path, "pics", count=20)
        rows = [f"pics/{n}.png,{'xy'[n % 2]}" for n in range(21)]
        done = prepare(str(self.write(tmp_path, "path,label", *rows)), root=tmp_path / "x")
        (one,) = done.manifest.quarantined
        assert (one.key, one.reason) == ("pics/20.png", "no such file or directory")

    def test_every_fault_has_its_line(self, tmp_path):
        table = self.write(tmp_path, "path,label,split", "a.png,,train", ",x,", "b.png,y,trian", "c.png,y,")
        with pytest.raises(DataError) as caught:
            table_source(table)
        assert [(fault.where.rsplit(":", 1)[1], fault.what) for fault in caught.value.faults] == [
            ("2", "no label"),
            ("3", "no path"),
            ("4", "unknown split 'trian'"),
        ]

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            (["file,label", "a.png,x"], "has no column 'path'"),
            ([""], "has no column 'path'"),
            (["path,label"], "names no image"),
            (["path,label", "a.png,x", "b.png,x"], "holds one class"),
        ],
    )
    def test_tables_that_cannot_be_used(self, tmp_path, lines, words):
        with pytest.raises(DataError, match=words):
            table_source(self.write(tmp_path, *lines))

    def test_what_is_no_text_is_one_line(self, tmp_path):
        (tmp_path / "set.csv").write_bytes(b"path,label\n\xff\xfe\x00,x\n")
        with pytest.raises(DataError, match="cannot be read"):
            table_source(tmp_path / "set.csv")

    def test_a_link_that_leaves_the_folder_is_refused(self, tmp_path):
        picture(tmp_path / "secret.png")
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.png").symlink_to(tmp_path / "secret.png")
        with pytest.raises(DataError, match="is a link that leaves"):
            table_source(self.write(tmp_path / "in", "path,label", "a.png,x", "b.png,y"))


class TestIdx:
    def write(self, folder, *, count=24):
        folder.mkdir(parents=True)
        for images, labels in FILES.values():
            (folder / images).write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, count, 8, 8) + bytes(64 * count))
            data = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(n % 2 for n in range(count))
            (folder / f"{labels}.gz").write_bytes(gzip.compress(data))
        return folder

    def test_a_folder_of_them_is_found(self, tmp_path):
        source = find_source(str(self.write(tmp_path / "numbers")), cache=tmp_path)
        assert (source.name, tuple(source.classes), len(source.items)) == ("numbers", ("0", "1"), 48)
        assert source.val_share == 1 / 12

    def test_a_folder_given_for_fashion_mnist(self, tmp_path):
        source = find_source(f"fashion_mnist={self.write(tmp_path / 'files')}", cache=tmp_path)
        assert (source.name, tuple(source.classes)) == ("fashion_mnist", CLOTHES)

    @pytest.mark.parametrize("change", ["cut", "long", "kind", "gone", "gzip"])
    def test_broken_files_are_named(self, tmp_path, change):
        folder = self.write(tmp_path / "files")
        path = folder / FILES["test"][0]
        data = path.read_bytes()
        if change == "gone":
            path.unlink()
        elif change == "gzip":
            path = folder / f"{FILES['test'][1]}.gz"
            path.write_bytes(path.read_bytes()[:-9])
        else:
            path.write_bytes({"cut": data[:-1], "long": data + b"x", "kind": b"\x00\x00\x0d\x03" + data[4:]}[change])
        with pytest.raises(DataError) as caught:
            idx_source(folder)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_images_without_labels_are_refused(self, tmp_path):
        folder = self.write(tmp_path / "files")
        data = struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes(5)
        (folder / f"{FILES['train'][1]}.gz").write_bytes(gzip.compress(data))
        with pytest.raises(DataError, match="24 images and 5 labels"):
            idx_source(folder)


def test_a_prepared_set_is_not_prepared_again(tmp_path):
    folder = prepare("synthetic", root=tmp_path).path
    with pytest.raises(DataError, match="is a prepared set already"):
        prepare(str(folder), root=tmp_path / "x")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "set.zip").touch()
    with pytest.raises(DataError, match="neither a folder nor a CSV"):
        find_source(str(tmp_path / "set.zip"), cache=tmp_path)


def test_a_download_that_fails_is_one_line(tmp_path):
    (tmp_path / "cache").touch()  # a file where the folder would be: nothing is asked of the network
    with pytest.raises(DataError, match="CIFAR10: cannot be downloaded") as caught:
        torchvision_download("CIFAR10", tmp_path / "cache", train=True)
    assert "\n" not in str(caught.value)
