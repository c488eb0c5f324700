"""Checkpoints are whole or passed over, and a disk that refuses one leaves the older ones."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from isoflop.errors import StateError
from isoflop.training import checkpoint

CPU = torch.device("cpu")


def state(step: int, numbers: int = 10) -> dict[str, object]:
    return {"step": step, "weights": torch.full((numbers,), float(step))}


def loaded(folder: Path, owner: str = "") -> int | None:
    found = checkpoint.load(folder, CPU, owner=owner)
    if found is not None:
        assert set(found["weights"].tolist()) == {float(found["step"])}
    return None if found is None else found["step"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_newest_is_loaded_and_two_are_kept(tmp_path: Path):
    for report in range(1, 6):
        checkpoint.save(tmp_path, report, state(report))
    assert loaded(tmp_path) == 5
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        flip,
        Path.unlink,
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("nowhere")),
    ],
    ids=["torn", "longer", "empty", "zeroed", "flipped", "missing", "folder", "dangling"],
)
def test_when_the_newest_is_not_whole_the_one_before_is_used(tmp_path: Path, damage: Callable[[Path], object]):
    checkpoint.save(tmp_path, 1, state(1))
    damage(checkpoint.save(tmp_path, 2, state(2)))
    assert loaded(tmp_path) == 1
    if not any(path.is_dir() for path in tmp_path.iterdir()):
        checkpoint.save(tmp_path, 2, state(2))
        assert loaded(tmp_path) == 2


def test_a_torn_one_of_a_later_report_is_no_longer_counted(tmp_path: Path):
    checkpoint.save(tmp_path, 1, state(1))
    for report in (2, 3):
        flip(checkpoint.save(tmp_path, report, state(report)))
    assert loaded(tmp_path) is None
    checkpoint.save(tmp_path, 1, state(1))
    assert [path.name[:6] for path in checkpoint.standing(tmp_path)] == ["000001"]
    assert loaded(tmp_path) == 1


def test_no_checkpoint_is_none(tmp_path: Path):
    assert loaded(tmp_path / "none") is None


def test_another_owners_are_passed_over_and_go(tmp_path: Path):
    checkpoint.save(tmp_path, 5, state(5), owner="whole batch")
    assert loaded(tmp_path, "micro-batch") is None
    assert loaded(tmp_path, "whole batch") == 5
    checkpoint.save(tmp_path, 1, state(1), owner="micro-batch")
    assert loaded(tmp_path, "micro-batch") == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path):
    left = tmp_path / ".000003.pt-999999"
    left.write_bytes(b"half of it")
    path = checkpoint.save(tmp_path, 1, state(1))
    assert list(tmp_path.iterdir()) == [path]


def test_size_and_thin(tmp_path: Path):
    assert checkpoint.size(tmp_path / "none") == 0
    paths = [checkpoint.save(tmp_path, report, state(report)) for report in (1, 2)]
    assert checkpoint.size(tmp_path) == sum(path.stat().st_size for path in paths)
    checkpoint.thin(tmp_path, keep=1)
    assert list(tmp_path.iterdir()) == [paths[1]]
    checkpoint.thin(tmp_path, keep=0)
    assert loaded(tmp_path) is None


def test_a_full_disk_leaves_the_older_ones_whole_and_nothing_else(tmp_path: Path):
    for report in (1, 2):
        checkpoint.save(tmp_path, report, state(report))
    before = sorted(tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # the kernel refuses files above it
    try:
        with pytest.raises(StateError, match=r"^the disk is full: .*000003.pt cannot be written .*; make") as caught:
            checkpoint.save(tmp_path, 3, state(3, 100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    assert loaded(tmp_path) == 2
    checkpoint.save(tmp_path, 3, state(3, 100_000))
    assert loaded(tmp_path) == 3


def test_a_folder_that_cannot_be_made_is_the_states_fault(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        checkpoint.save(tmp_path / "file" / "folder", 1, state(1))
