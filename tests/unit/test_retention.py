"""Checkpoints under a cap: every open training keeps its newest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isoflop.records import Key
from isoflop.retention import Shelf, checkpoints, over, retain, size_of, thin_predictions
from isoflop.study_spec import Objective

A, B, C = Key(trial=0), Key(trial=1), Key(trial=1, replicate=1)


@pytest.mark.parametrize(
    ("sizes", "cap", "gone"),
    [
        ({A: [10, 10], B: [10, 10]}, 40, []),
        ({A: [10, 10], B: [10, 10]}, 39, [A]),
        ({A: [10, 10], B: [10, 20]}, 49, [B]),
        ({A: [10, 10], B: [10, 20], C: [10, 20]}, 50, [B, C]),
        ({A: [10, 10], B: [10, 20], C: [10, 20]}, 0, [B, C, A]),
        ({A: [10, 4, 4, 4], B: [10, 10]}, 30, [A]),
        ({A: [100], B: []}, 1, []),
        ({}, 0, []),
    ],
)
def test_the_largest_older_ones_go_first_until_the_rest_fits(sizes, cap, gone):
    assert over(sizes, cap) == gone


def write(folder, report, size):
    folder.mkdir(exist_ok=True)
    path = folder / f"{report:06d}-0123456789abcdef.pt"
    path.write_bytes(b"x" * size)
    return path


def test_files_go_until_the_folders_fit(tmp_path):
    old, new = write(tmp_path / "0", 3, 100), write(tmp_path / "0", 4, 100)
    larger, largest = write(tmp_path / "1", 8, 150), write(tmp_path / "1", 9, 300)
    (tmp_path / "0" / ".000005.pt-12").write_bytes(b"x" * 900)  # being written

    def folder(key):
        return tmp_path / str(key)

    assert retain(folder, [A, B, C], 650) == []
    assert retain(folder, [A, B, C], 500) == [larger]
    assert retain(folder, [A, B, C], 10) == [old]
    assert [path for path in (old, new, larger, largest) if path.exists()] == [new, largest]


def test_the_newest_is_the_one_of_the_latest_report(tmp_path):
    written = [write(tmp_path, report, 1) for report in (9, 10, 1_000_000, 999_999)]
    (tmp_path / "note.pt").touch()
    assert checkpoints(tmp_path) == [written[2], written[3], written[1], written[0]]
    assert checkpoints(tmp_path / "nowhere") == []


def test_sizes_are_those_of_all_files_and_links_are_not_followed(tmp_path):
    write(tmp_path / "a", 1, 100)
    write(tmp_path / "a", 2, 20)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert size_of(tmp_path / "a") == 120
    assert size_of(tmp_path / "link") < 120
    assert size_of(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(("objective", "left"), [("val_accuracy", {0, 2}), ("val_loss", {1, 2}), ("flops", {1, 2})])
def test_predictions_of_the_worst_trials_go_first(tmp_path: Path, objective: str, left: set[int]):
    """Without a report there is nothing to say for them."""
    for trial, accuracy in enumerate((0.9, 0.7, 0.8, None)):
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / "val_predictions.npz").write_bytes(bytes(100))
        if accuracy is not None:
            metrics = {"accuracy": accuracy, "loss": accuracy}
            (folder / "val_report.json").write_text(json.dumps({"metrics": metrics}))
    objectives = [Objective(metric="flops", direction="minimize"), Objective.model_validate(objective)]
    assert thin_predictions(tmp_path, 400, objectives) == []
    assert len(thin_predictions(tmp_path, 200, objectives)) == 2
    assert {int(path.parent.name) for path in tmp_path.glob("*/val_predictions.npz")} == left
    assert len(list(tmp_path.glob("*/val_report.json"))) == 3
    thin_predictions(tmp_path, 0, objectives)
    assert not list(tmp_path.glob("*/val_predictions.npz"))


def test_a_shelf_is_thinned_when_it_is_full_and_left_alone_before(tmp_path: Path):
    shelf = Shelf(tmp_path, 1000, [Objective()])
    for trial in range(30):
        folder = tmp_path / str(trial)
        folder.mkdir()
        (folder / "val_predictions.npz").write_bytes(bytes(100))
        (folder / "val_report.json").write_text(json.dumps({"metrics": {"accuracy": trial / 30}}))
        shelf.add(folder)
        assert sum(map(size_of, tmp_path.glob("*/val_predictions.npz"))) <= 1000
    left = {int(path.parent.name) for path in tmp_path.glob("*/val_predictions.npz")}
    assert {29, 28, 27, 26, 25} <= left
    assert len(left) >= 9
