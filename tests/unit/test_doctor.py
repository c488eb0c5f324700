"""What a driver that was killed leaves behind is found, told with its remedy, and mended."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing

import pytest

from isoflop.doctor import examine, mend, track
from isoflop.errors import LeaseError
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import Key, State
from isoflop.tracking.mlflow_tracker import MlflowTracker
from tests.made_up import Writer


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """A state folder whose driver was killed while trial 1 of study `killed` ran; study `live` goes on.

    Drivers that other tests killed left something in the machine's folder for such things: here is another one.
    """
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))
    home = Home(tmp_path_factory.mktemp("left")).ensure()
    journal = SqliteJournal(home.journal)
    tracker = MlflowTracker(f"sqlite:///{home.mlflow}", artifacts=home.mlflow_artifacts)
    for study in ("killed", "live"):
        writer = Writer(journal, study)
        writer.trial(0, [0.5], State.COMPLETE)
        writer.trial(1, [0.5])
        writer.write(Kind.STATE, 1, payload={"state": "RUNNING"})
        events = journal.read(study)
        tracker.begin(study, events[0])
        tracker.sync(study, events)
        journal.release(writer.lease)
    tracker.close()
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    journal.acquire("killed", f"{socket.gethostname()}:{ended.pid}", 60)
    journal.acquire("live", f"{socket.gethostname()}:{os.getppid()}", 60)
    checkpoint = home.checkpoints("killed", Key(trial=0)) / "000001-0123456789abcdef.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"x" * 2_000_000)
    journal.close()
    yield home
    monkeypatch.undo()


def lines(home: Home) -> list[str]:
    return [str(finding) for finding in examine(home)]


def statuses(home: Home) -> dict[str, str]:
    with closing(sqlite3.connect(home.mlflow)) as database:
        return dict(database.execute("SELECT name, status FROM runs WHERE lifecycle_stage = 'active'").fetchall())


def test_what_is_left_is_found_and_then_mended(left):
    found = lines(left)
    holder = f"{socket.gethostname()}:{os.getppid()}"
    assert any("killed was left" in line and line.endswith("; go on: isoflop resume killed") for line in found)
    assert f"ok   study          live is run by {holder}" in found
    assert any(
        "lease" in line and "holds study killed and is gone; run: isoflop doctor --fix" in line for line in found
    )
    assert (
        "BAD  mlflow         2 runs of study killed are shown as running, and nobody runs it "
        "(killed is shown as running); run: isoflop doctor --fix" in found
    )
    assert "ok   leftovers      1 things that nobody needs, 2.0 MB; run: isoflop gc" in found
    assert not any("study live are shown" in line for line in found)

    ended = SqliteJournal(left.journal).stale()[0].holder
    assert mend(left) == [
        f"study killed: the lease of {ended} was given back",
        "study killed: 3 runs in MLflow, 2 ended",
    ]
    assert statuses(left) == {
        "killed": "KILLED",
        "killed/0": "FINISHED",
        "killed/1": "KILLED",
        "live": "RUNNING",
        "live/0": "FINISHED",
        "live/1": "RUNNING",
    }
    assert [line for line in lines(left) if "--fix" in line] == []
    assert mend(left) == []

    journal = SqliteJournal(left.journal)
    lease = journal.acquire("killed", "next", 60)  # and a driver that resumes it goes on with the same runs
    writer = object.__new__(Writer)
    writer.journal, writer.study, writer.clock, writer.lease = journal, "killed", 50.0, lease
    writer.write(Kind.STUDY, index=1, payload={"name": "digits"})
    writer.write(Kind.STATE, 1, index=1, payload={"state": "RUNNING"})
    tracker = MlflowTracker(f"sqlite:///{left.mlflow}", artifacts=left.mlflow_artifacts)
    tracker.begin("killed", journal.read("killed")[0])
    tracker.sync("killed", journal.read("killed"))
    tracker.close()
    assert [statuses(left)[run] for run in ("killed", "killed/1")] == ["RUNNING", "RUNNING"]
    journal.release(lease)


def test_runs_too_many_and_gaps_are_found_and_then_mended(left):
    client = MlflowTracker(f"sqlite:///{left.mlflow}", artifacts=left.mlflow_artifacts).client
    (experiment,) = (one for one in client.search_experiments() if one.name == "digits")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    writer = Writer(SqliteJournal(left.journal), "other")
    writer.trial(0, [0.5], State.COMPLETE)
    writer.journal.release(writer.lease)
    twice = runs["killed/0"]
    client.create_run(experiment.experiment_id, twice.info.start_time, twice.data.tags, "killed/0")
    client.delete_run(runs["killed/1"].info.run_id)

    found = lines(left)
    remedy = "; run: isoflop doctor --fix"
    assert any("1 runs of study killed are too many" in line and line.endswith(remedy) for line in found)
    assert any("study killed are missing or lack something (killed/1 is missing)" in line for line in found)
    assert any("2 runs of study other are missing or lack something (other is missing)" in line for line in found)
    assert "study other: 2 runs in MLflow, 2 written, 1 ended" in mend(left)
    assert [line for line in lines(left) if "--fix" in line] == []
    assert mend(left) == []


def test_a_lost_store_is_found_and_written_anew(left):
    before = statuses(left)
    left.mlflow.unlink()
    assert "BAD  mlflow         no records; written anew by: isoflop track" in lines(left)
    done = list(track(left, SqliteJournal(left.journal)))
    assert [(one.study, one.runs) for one in done] == [("killed", 3), ("other", 2)]
    assert statuses(left) == {name: status for name, status in before.items() if not name.startswith("live")}
    with pytest.raises(LeaseError, match="study live"):
        list(track(left, SqliteJournal(left.journal), "live"))


def test_a_server_that_is_down_is_one_line_with_the_remedy(left, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hush@127.0.0.1:9")
    (line,) = (line for line in lines(left) if "mlflow   " in line and "BAD" in line)
    assert line.endswith("records wait in the journal; then run: isoflop track")
    assert "hush" not in line


def test_a_folder_without_a_study_has_nothing_to_mend(tmp_path):
    assert mend(Home(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
