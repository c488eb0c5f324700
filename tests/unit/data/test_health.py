from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from isoflop.data import check, prepare
from isoflop.errors import DataError


def sick(root):
    """Two classes, 40 and 10 images, own splits; a copy and a recompressed copy across them, one under both labels."""
    generator = np.random.default_rng(0)
    for split, counts in (("train", (40, 10)), ("val", (12, 12)), ("test", (12, 12))):
        for name, count in zip("ab", counts, strict=True):
            (root / split / name).mkdir(parents=True)
            for place in range(count):
                cells = Image.fromarray(generator.integers(0, 256, (6, 6, 3), np.uint8))
                cells.resize((32, 32), Image.Resampling.BICUBIC).save(root / split / name / f"{place}.png")
    (root / "val/a/copy.png").write_bytes((root / "train/a/3.png").read_bytes())
    (root / "test/b/other.png").write_bytes((root / "test/a/5.png").read_bytes())
    Image.open(root / "train/b/2.png").save(root / "test/b/again.jpg", quality=85)
    (root / "train/a/cut.png").write_bytes((root / "train/a/0.png").read_bytes()[:100])
    return root


def test_everything_that_is_wrong_is_found(tmp_path):
    report = check(sick(tmp_path / "set"))
    assert report.counts == {"train": (40, 10), "val": (13, 12), "test": (12, 14)}
    assert (report.exact_within, report.exact_across, report.near_across, report.conflicts) == (1, 1, 1, 1)
    (exact,), (near,), (conflict,) = (report.examples[kind] for kind in ("exact", "near", "conflict"))
    assert (exact.first, exact.second) == ("train: train/a/3.png", "val: val/a/copy.png")
    assert (near.first, near.second) == ("train: train/b/2.png", "test: test/b/again.jpg")
    assert conflict.classes == ("a", "b")
    assert [one.key for one in report.quarantined] == ["train/a/cut.png"]
    assert {fault.where for fault in report.notices} == {"balance", "leakage", "labels", "duplicates", "files"}
    assert all(fault.remedy for fault in report.notices)
    assert not report.healthy


def test_the_report_reads_and_travels(tmp_path):
    report = check(sick(tmp_path / "set"))
    text = "\n".join(report.lines())
    for word in (
        "train/a/3.png",
        "train/a/cut.png",
        "notice: balance: 'a' has 40 training images, 'b' 10 (4 to 1), and accuracy hides small classes",
    ):
        assert word in text
    assert json.loads(json.dumps(report.to_dict()))["exact_across"] == 1


def test_a_healthy_set_says_so_raw_and_prepared_alike(tmp_path):
    raw = check("digits")
    assert raw.healthy
    assert raw.lines()[-1].startswith("healthy")
    assert check(prepare("digits", root=tmp_path).path) == raw


def test_checking_a_raw_folder_writes_nothing_beside_it(tmp_path):
    sick(tmp_path / "set")
    check(str(tmp_path / "set"))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_nothing_there_is_one_line(tmp_path):
    with pytest.raises(DataError, match="no known data set"):
        check(str(tmp_path / "gone"))
