"""What may go of a state folder, and what never does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isoflop.cleaning import DAY, HOUR, Cleaning, remove
from isoflop.errors import StateError
from isoflop.home import Home
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Key, State
from tests.made_up import Writer

NOW = 1_000_000_000.0
DEAD, ALIVE = 11, 12


@pytest.fixture
def journal():
    """Study `s`: trial 0 is COMPLETE, trial 1 open; study `live` has a driver."""
    journal = MemoryJournal(clock=lambda: NOW)
    for study in ("s", "live"):
        writer = Writer(journal, study)
        writer.trial(0, [0.5], State.COMPLETE)
        writer.trial(1, [0.5])
        if study == "s":
            journal.release(writer.lease)
    return journal


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def file(path: Path, *, age: float = 0.0, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - age, NOW - age))
    return path


def checkpoint(home: Home, study: str, trial: int, report: int) -> Path:
    return file(home.checkpoints(study, Key(trial=trial)) / f"{report:06d}-0123456789abcdef.pt")


def cleaning(home: Home, journal: MemoryJournal, **more: object) -> Cleaning:
    scratch = home.path.with_name("scratch")
    return Cleaning(home=home, journal=journal, now=NOW, scratch=scratch, ended=lambda pid: pid == DEAD, **more)


def paths(home: Home, journal: MemoryJournal, **more: object) -> list[Path]:
    return [one.path for one in cleaning(home, journal, **more).find()]


def test_checkpoints_of_trials_that_are_over_go_and_those_of_open_ones_stay(home, journal):
    checkpoint(home, "s", 0, 1), checkpoint(home, "s", 1, 1), checkpoint(home, "s", 1, 2)
    (found,) = cleaning(home, journal).find()
    assert (found.what, found.study, found.size) == ("checkpoints", "s", 10)
    assert found.path == home.checkpoints("s", Key(trial=0))
    assert found.why == "its trial is over"


def test_of_open_trials_as_many_stay_as_are_asked_for(home, journal):
    first, second, third = (checkpoint(home, "s", 1, report) for report in (9, 10, 11))
    assert paths(home, journal) == []
    assert paths(home, journal, keep=1) == [second, first]
    assert paths(home, journal, keep=2) == [first]
    assert third not in paths(home, journal, keep=1)


def test_of_a_study_that_runs_nothing_goes(home, journal):
    checkpoint(home, "live", 0, 1), checkpoint(home, "live", 1, 1), checkpoint(home, "live", 1, 2)
    file(home.logs("live", Key(trial=0)), age=99 * DAY)
    file(home.checkpoints("live", Key(trial=0)) / f".000001.pt-{DEAD}", age=99 * DAY)
    assert paths(home, journal, keep=1) == []


def test_a_study_that_is_gone_from_the_journal_leaves_its_checkpoints_to_go(home, journal):
    checkpoint(home, "gone", 0, 1), checkpoint(home, "gone", 5, 1)
    (found,) = cleaning(home, journal).find()
    assert (found.path, found.size, found.why) == (
        home.path / "checkpoints" / "gone",
        20,
        "its study is not in the journal",
    )


def test_logs_go_after_thirty_days_and_not_those_of_open_trials(home, journal):
    old = file(home.logs("s", Key(trial=0)), age=31 * DAY)
    file(home.logs("s", Key(trial=1)), age=31 * DAY)
    file(home.logs("s", Key(trial=0, replicate=1)), age=29 * DAY)
    assert paths(home, journal) == [old]


def test_torn_writes_of_dead_processes_go_once_they_are_an_hour_old(home, journal):
    folders = [home.checkpoints("s", Key(trial=1)), home.artifacts("s", Key(trial=0)), home.path]
    torn = [file(folder / f".name.bin-{DEAD}", age=2 * HOUR) for folder in folders]
    torn.append(file(home.path / f".journal.sqlite-{DEAD}-140", age=2 * HOUR))
    for folder in folders:
        file(folder / f".name.bin-{ALIVE}", age=2 * HOUR)
        file(folder / f".other.bin-{DEAD}", age=HOUR / 2)
        file(folder / ".hidden", age=2 * HOUR)
    assert sorted(paths(home, journal)) == sorted(torn)


def test_weights_predictions_data_and_records_never_go(home, journal):
    for trial in (0, 1):
        for name in ("weights.safetensors", "val_predictions.npz", "test_predictions.npz"):
            file(home.artifacts("s", Key(trial=trial)) / name, age=999 * DAY)
            file(home.artifacts("gone", Key(trial=trial)) / name, age=999 * DAY)
    file(home.data / "digits" / "manifest.json", age=999 * DAY)
    file(home.mlflow, age=999 * DAY)
    file(home.journal, age=999 * DAY)
    assert paths(home, journal, keep=1) == []


def test_copies_of_older_journals_go_after_thirty_days(home, journal):
    old = file(home.path / "journal.sqlite.v1.bak", age=31 * DAY)
    file(home.path / "journal.sqlite.v2.bak", age=29 * DAY)
    assert paths(home, journal) == [old]


def test_what_killed_reproductions_leave_goes_after_a_day(home, journal):
    def left(name, age):
        folder = home.reproductions / name
        file(folder / "0" / "log.txt")
        os.utime(folder, (NOW - age, NOW - age))
        return folder

    gone = left(f"{DEAD}-abc", 2 * DAY)
    left(f"{DEAD}-fresh", HOUR), left(f"{ALIVE}-abc", 2 * DAY), left("notes", 2 * DAY)
    (found,) = cleaning(home, journal).find()
    assert (found.what, found.path) == ("reproduction", gone)


def test_scratch_of_dead_drivers_goes(home, journal):
    scratch = home.path.with_name("scratch")
    file(scratch / f"isoflop-ray-{DEAD}-abc" / "study" / "state.json", size=7)
    for name in (f"isoflop-ray-{ALIVE}-abc", "isoflop-ray-abc", f"other-{DEAD}-abc"):
        file(scratch / name / "state.json")
    (found,) = cleaning(home, journal).find()
    assert (found.what, found.path, found.size) == ("Ray's scratch", scratch / f"isoflop-ray-{DEAD}-abc", 7)


def test_one_study_is_looked_at_alone(home, journal):
    mine, other = checkpoint(home, "s", 0, 1), checkpoint(home, "gone", 0, 1)
    file(home.path / f".name.bin-{DEAD}", age=2 * HOUR)
    assert paths(home, journal, study="s") == [mine.parent]
    assert paths(home, journal, study="gone") == [other.parent.parent]


def test_what_was_found_is_removed_and_nothing_else(home, journal):
    gone, stays = checkpoint(home, "s", 0, 1), checkpoint(home, "s", 1, 1)
    torn = file(home.path / f".name.bin-{DEAD}", age=2 * HOUR)
    assert len(remove(cleaning(home, journal).find())) == 2
    assert [path.exists() for path in (gone, gone.parent, torn, stays)] == [False, False, False, True]
    assert paths(home, journal) == []


def test_of_a_link_the_link_goes(home, journal, tmp_path):
    elsewhere = file(tmp_path / "elsewhere" / "000001-0123456789abcdef.pt")
    link = home.checkpoints("s", Key(trial=0))
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere.parent)
    remove(cleaning(home, journal).find())
    assert (link.is_symlink(), elsewhere.exists()) == (False, True)


def test_what_does_not_go_is_one_line_after_the_rest_went(home, journal):
    checkpoint(home, "gone", 0, 1)
    torn = file(home.path / f".name.bin-{DEAD}", age=2 * HOUR)
    found = cleaning(home, journal).find()
    (home.path / "checkpoints").rename(home.path / "moved")
    (home.path / "checkpoints").touch()  # in the way
    with pytest.raises(StateError, match=r"gone: cannot be removed \(Not a directory\); 1 others are gone") as error:
        remove(found)
    assert "\n" not in str(error.value)
    assert not torn.exists()
