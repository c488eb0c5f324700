"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from isoflop.disk import draft, refusals
from isoflop.errors import StateError


def test_a_draft_takes_its_place_whole(tmp_path: Path):
    folder = tmp_path / "a" / "b"
    with draft(folder, "x.bin") as beside:
        beside.path.write_bytes(b"new")
        assert not (folder / "x.bin").exists()
        assert beside.publish(folder / "x.bin").read_bytes() == b"new"
    assert [path.name for path in folder.iterdir()] == ["x.bin"]


def test_what_fails_leaves_the_old_file_and_no_other(tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(b"old")

    def write() -> None:
        with draft(tmp_path, "x.bin") as beside:
            beside.path.write_bytes(b"half")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["x.bin"]
    assert (tmp_path / "x.bin").read_bytes() == b"old"


def test_a_device_without_room_is_a_full_disk(tmp_path: Path):
    def write() -> None:
        with refusals(tmp_path / "y"), Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")

    with pytest.raises(StateError, match=r"^the disk is full: .*y cannot be written \(No space left on device\); make"):
        write()


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EFBIG])
def test_a_quota_is_a_full_disk(number: int):
    with pytest.raises(StateError, match="the disk is full"), refusals(Path("y")):
        raise OSError(number, os.strerror(number))


def test_other_refusals_are_said_as_they_are():
    with pytest.raises(StateError, match=r"^y: cannot be written \(Permission denied\)$"), refusals(Path("y")):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
