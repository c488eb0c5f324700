from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from isoflop.data.slot import slot

KILLED = """
import os, signal, sys
from pathlib import Path
from isoflop.data.slot import slot
with slot(Path(sys.argv[1])) as place:
    (place.beside / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(place, text: str) -> None:
    (place.beside / "file").write_text(text)
    place.publish()


def test_what_is_published_is_there_and_nothing_else(tmp_path):
    with slot(tmp_path / "set") as place:
        fill(place, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (tmp_path / "set" / "file").read_text() == "new"


def fill_and_stop(folder) -> None:
    with slot(folder) as place:
        (place.beside / "half").write_text("half")
        raise KeyboardInterrupt


def test_what_is_not_published_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill_and_stop(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_replacing_leaves_the_new_one_alone(tmp_path):
    for text in ("old", "new"):
        with slot(tmp_path / "set") as place:
            fill(place, text)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (tmp_path / "set" / "file").read_text() == "new"


def test_the_next_prepare_of_anything_removes_what_a_killed_one_left(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "set")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".set.preparing"]
    with slot(tmp_path / "other") as place:
        fill(place, "other")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_another_process_is_filling_is_left_alone(tmp_path):
    with slot(tmp_path / "set") as place:
        (place.beside / "half").write_text("half")
        code = "import sys; from pathlib import Path; from isoflop.data.slot import sweep; sweep(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
        assert (place.beside / "half").is_file()


def test_a_replacement_that_was_cut_between_its_renames_is_undone(tmp_path):
    (tmp_path / ".set.replaced").mkdir()
    (tmp_path / ".set.replaced" / "file").write_text("old")
    with slot(tmp_path / "set"):
        assert (tmp_path / "set" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_two_at_once_take_turns(tmp_path):
    inside, seen = threading.Event(), []

    def second() -> None:
        inside.wait()
        with slot(tmp_path / "set") as place:
            seen.append((place.folder / "file").read_text())

    thread = threading.Thread(target=second)
    thread.start()
    with slot(tmp_path / "set") as place:
        inside.set()
        fill(place, "first")
    thread.join()
    assert seen == ["first"]
