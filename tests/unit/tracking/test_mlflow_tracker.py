"""What is MLflow's own: calls, files, the database, and what happens when people or machines meddle."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from safetensors.numpy import save_file

from isoflop.errors import StateError
from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.records import Record
from isoflop.tracking.mlflow_connection import create_database
from isoflop.tracking.mlflow_files import read_header
from isoflop.tracking.mlflow_tracker import MlflowTracker

STUDY = {
    "name": "digits",
    "plan": "search",
    "spec": {"study": {"name": "digits", "token": "hush"}},
    "data": {"name": "digits", "digest": "dd" * 32, "path": "/data/digits"},
    "provenance": {"git_commit": "abc"},
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.sqlite"
    create_database(path, path.parent / "artifacts")
    return path


@pytest.fixture
def home(tmp_path, template):
    folder = tmp_path / "a folder's name"
    folder.mkdir()
    shutil.copy(template, folder / "mlflow.sqlite")
    return folder


@pytest.fixture
def tracker(home):
    made = MlflowTracker(f"sqlite:///{home / 'mlflow.sqlite'}", artifacts=home / "mlflow-artifacts", home=home)
    yield made
    made.close()


def event(seq, kind, trial=-1, index=0, **payload):
    return Event(kind=kind, trial=trial, index=index, payload=payload, time=1_700_000_000.5 + seq, seq=seq)


def trial_events(first, trial, reports=9):
    yield event(first, Kind.START, trial, config={"optim.lr": 0.1}, seed=1, fingerprint="f")
    for report in range(1, reports + 1):
        metrics, measured = {"val_accuracy": 0.5, "val_loss": 1.0}, {"seconds": 0.1}
        values = Record(
            report=report, step=1, epoch=1, images=1, flops=1, fidelity=1, metrics=metrics, measured=measured
        )
        yield event(first + report, Kind.RECORD, trial, report, **values.to_dict())
    yield event(first + reports + 1, Kind.END, trial, state="COMPLETE", reason="")


OPENING = event(1, Kind.STUDY, **STUDY)
EVENTS = [OPENING, *trial_events(2, 0), *trial_events(13, 1)]


def write(tracker, events=EVENTS):
    cursor = tracker.begin("s", OPENING)
    tracker.sync("s", events)
    return cursor


def runs_of(tracker, view=1):
    experiment = tracker.client.get_experiment_by_name("digits").experiment_id
    runs = tracker.client.search_runs([experiment], "", view)
    return {run.info.run_name: run for run in runs}


def dump(database):
    """All rows about runs."""
    tables = ("runs", "tags", "params", "metrics", "latest_metrics", "inputs", "datasets")
    connection = sqlite3.connect(database)
    rows = {table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in tables}
    connection.close()
    return rows


class Counting:
    """Passes calls on to a client and counts them."""

    def __init__(self, client):
        self.client = client
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self.client, name)


def test_a_trial_costs_one_batch_a_sync(tracker):
    tracker.begin("s", OPENING)
    tracker.client = counting = Counting(tracker.client)
    tracker.sync("s", EVENTS)
    assert counting.calls == {
        "get_run": 1,
        "log_dict": 1,
        "log_inputs": 3,
        "search_runs": 2,
        "create_run": 2,
        "log_batch": 3,
        "set_terminated": 2,
    }


def test_a_restart_costs_one_search_and_no_more_for_trials_that_are_known(tracker):
    write(tracker, EVENTS[:2])
    tracker.client = counting = Counting(tracker.client)
    write(tracker, EVENTS[:4])
    assert counting.calls == {"get_experiment_by_name": 1, "search_runs": 1, "get_run": 1, "log_batch": 2}


def test_a_trial_that_is_known_costs_a_batch_and_no_search(tracker):
    write(tracker, EVENTS[:2])
    tracker.client = counting = Counting(tracker.client)
    tracker.sync("s", EVENTS[:4])
    assert counting.calls == {"get_run": 1, "log_batch": 2}


def test_nothing_new_costs_one_look(tracker):
    write(tracker)
    tracker.client = counting = Counting(tracker.client)
    tracker.sync("s", EVENTS)
    assert counting.calls == {"get_run": 1}


def test_runs_hang_on_the_study_s_run(tracker):
    write(tracker)
    runs = runs_of(tracker)
    assert set(runs) == {"s", "s/0", "s/1"}
    assert {runs[name].data.tags["mlflow.parentRunId"] for name in ("s/0", "s/1")} == {runs["s"].info.run_id}
    assert runs["s"].data.tags["isoflop.seq"] == str(EVENTS[-1].seq)


def test_a_lost_cursor_is_harmless(tracker, home):
    write(tracker)
    before = dump(home / "mlflow.sqlite")
    tracker.client.delete_tag(runs_of(tracker)["s"].info.run_id, "isoflop.seq")
    assert write(tracker) == 0
    assert dump(home / "mlflow.sqlite") == before


def test_a_torn_sync_is_done_again(tracker, home):
    class Torn(Counting):
        def __getattr__(self, name):
            if name == "set_terminated":
                raise ConnectionError
            return super().__getattr__(name)

    tracker.begin("s", OPENING)
    whole, tracker.client = tracker.client, Torn(tracker.client)
    with pytest.raises(StateError, match="ConnectionError"):
        tracker.sync("s", EVENTS)
    tracker.client = whole
    assert write(tracker) == 0
    assert {run.info.status for name, run in runs_of(tracker).items() if name != "s"} == {"FINISHED"}
    assert len(dump(home / "mlflow.sqlite")["runs"]) == 3


def test_a_study_s_run_that_a_person_deleted_is_written_anew(tracker):
    write(tracker)
    old = runs_of(tracker)
    tracker.client.delete_run(old["s"].info.run_id)
    with pytest.raises(StateError, match="deleted"):
        tracker.sync("s", EVENTS)
    assert write(tracker) == 0
    new = runs_of(tracker)
    assert new["s"].info.run_id != old["s"].info.run_id
    assert new["s/0"].info.run_id == old["s/0"].info.run_id
    assert new["s/0"].data.tags["mlflow.parentRunId"] == new["s"].info.run_id


def test_a_trial_s_run_that_a_person_deleted_is_written_anew_and_whole(tracker):
    write(tracker, EVENTS[:8])
    old = runs_of(tracker)["s/0"].info.run_id
    tracker.client.delete_run(old)
    with pytest.raises(StateError, match="deleted"):
        tracker.sync("s", EVENTS[:10])
    with pytest.raises(StateError, match="not whole"):
        write(tracker, EVENTS[:10])
    assert write(tracker) == 0
    new = runs_of(tracker)["s/0"]
    assert new.info.run_id != old
    assert len(tracker.client.get_metric_history(new.info.run_id, "val_loss")) == 9


def test_of_runs_that_were_made_twice_the_one_that_was_written_to_stays(tracker):
    write(tracker, EVENTS[:8])
    runs = runs_of(tracker)
    for name in ("s", "s/0"):
        run = runs[name]
        tracker.client.create_run(run.info.experiment_id, run.info.start_time, run.data.tags, name)
    assert write(tracker) == EVENTS[7].seq
    experiment = tracker.client.get_experiment_by_name("digits").experiment_id
    ids = {run.info.run_name: run.info.run_id for run in tracker.client.search_runs([experiment])}
    assert len(tracker.client.search_runs([experiment])) == 3
    assert [ids[name] for name in ("s", "s/0")] == [runs[name].info.run_id for name in ("s", "s/0")]


def test_an_experiment_that_a_person_deleted_is_brought_back(tracker):
    write(tracker)
    tracker.client.delete_experiment(tracker.client.get_experiment_by_name("digits").experiment_id)
    write(tracker)
    assert set(runs_of(tracker)) == {"s", "s/0", "s/1"}


def test_studies_of_one_name_from_two_machines_are_two_runs(tracker):
    write(tracker)
    other = event(1, Kind.STUDY, **STUDY)
    object.__setattr__(other, "time", OPENING.time + 0.001)
    assert tracker.begin("s", other) == 0
    tracker.sync("s", [other])
    experiment = tracker.client.get_experiment_by_name("digits").experiment_id
    parents = [r for r in tracker.client.search_runs([experiment]) if r.info.run_name == "s"]
    assert len(parents) == 2


def test_weights_become_the_run_s_files_with_their_configuration(tracker, home):
    path = home / "artifacts" / "s" / "0" / "weights.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"w": np.ones(3, np.float32)}, path, metadata={"config": json.dumps({"optim": {"lr": 0.1}}), "seed": "1"})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    left = event(24, Kind.ARTIFACT, 0, path=str(path.relative_to(home)), sha256=digest)
    write(tracker, [*EVENTS, left])
    run = runs_of(tracker)["s/0"]
    files = {file.path for file in tracker.client.list_artifacts(run.info.run_id)}
    assert files == {"weights.safetensors", "config.json"}
    assert run.data.tags["isoflop.weights_sha256"] == digest
    folder = home / "mlflow-artifacts" / "digits" / run.info.run_id / "artifacts"
    assert (folder / "weights.safetensors").read_bytes() == path.read_bytes()
    assert json.loads((folder / "config.json").read_text()) == {"config": {"optim": {"lr": 0.1}}, "seed": 1}


def test_reports_become_the_run_s_files(tracker, home):
    path = home / "artifacts" / "s" / "0" / "val_report.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"images": 3}')
    place = ARTIFACTS.index("val_report")
    left = event(24, Kind.ARTIFACT, 0, index=place, path=str(path.relative_to(home)), sha256="ab")
    gone = event(25, Kind.ARTIFACT, 0, index=ARTIFACTS.index("test_report"), path="artifacts/gone.json", sha256="cd")
    write(tracker, [*EVENTS, left, gone])
    run = runs_of(tracker)["s/0"]
    assert {file.path for file in tracker.client.list_artifacts(run.info.run_id)} == {"val_report.json"}
    assert run.data.tags["isoflop.val_report_sha256"] == "ab"


def test_weights_that_were_cleaned_away_stop_nothing(tracker):
    write(tracker, [*EVENTS, event(24, Kind.ARTIFACT, 0, path="artifacts/gone", sha256="00")])
    assert tracker.client.list_artifacts(runs_of(tracker)["s/0"].info.run_id) == []


def test_a_file_that_is_no_safetensors_has_no_header(tmp_path):
    (tmp_path / "x").write_bytes(b"torn")
    assert read_header(tmp_path / "x") == {}


def test_spec_and_data_stand_with_the_study(tracker, home):
    write(tracker)
    run = runs_of(tracker)["s"]
    folder = home / "mlflow-artifacts" / "digits" / run.info.run_id / "artifacts"
    assert json.loads((folder / "spec.json").read_text()) == {"study": {"name": "digits", "token": "REDACTED"}}
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("digits", "d" * 36)


def test_the_database_is_made_once_whole_and_in_wal_mode(template, tmp_path):
    connection = sqlite3.connect(template)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    path = tmp_path / "mlflow.sqlite"
    path.write_bytes(b"somebody's")
    create_database(path, tmp_path)
    assert path.read_bytes() == b"somebody's"


def test_two_drivers_that_come_at_once_make_one_database(tmp_path):
    path = tmp_path / "mlflow.sqlite"
    path.with_name(".mlflow.sqlite-new").write_bytes(b"left by a kill")
    threads = [Thread(target=create_database, args=(path, tmp_path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracker = MlflowTracker(f"sqlite:///{path}")
    write(tracker)
    assert set(runs_of(tracker)) == {"s", "s/0", "s/1"}
    assert tracker.artifacts == tmp_path / "mlflow-artifacts"
    assert not Path(f"{path}-new").exists()
    tracker.close()


def test_a_database_that_was_removed_and_made_anew_is_used(home, template):
    uri = f"sqlite:///{home / 'mlflow.sqlite'}"
    first = MlflowTracker(uri)
    write(first)
    first.close()
    for file in home.glob("mlflow.sqlite*"):
        file.unlink()
    shutil.copy(template, home / "mlflow.sqlite")
    second = MlflowTracker(uri)
    assert write(second) == 0
    assert len(dump(home / "mlflow.sqlite")["runs"]) == 3
    second.close()


def test_a_database_that_nothing_here_can_drive_is_one_line():
    with pytest.raises(StateError, match="'pyodbc'; install what drives this kind of database") as error:
        MlflowTracker("mssql+pyodbc://me:hush@127.0.0.1/x").begin("s", OPENING)
    assert "hush" not in str(error.value)


def test_a_server_that_is_down_is_one_line_without_the_password():
    tracker = MlflowTracker("http://me:hush@127.0.0.1:9")
    with pytest.raises(StateError, match=r"MLflow at http://REDACTED@127\.0\.0\.1:9") as error:
        tracker.begin("s", OPENING)
    assert "\n" not in str(error.value)
    assert "hush" not in str(error.value)


def test_a_database_of_another_version_is_one_line_with_the_remedy(home):
    connection = sqlite3.connect(home / "mlflow.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.commit()
    connection.close()
    with pytest.raises(StateError, match="mlflow db upgrade sqlite:///") as error:
        MlflowTracker(f"sqlite:///{home / 'mlflow.sqlite'}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path):
    (tmp_path / "mlflow.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StateError, match="not a database") as error:
        MlflowTracker(f"sqlite:///{tmp_path / 'mlflow.sqlite'}")
    assert "\n" not in str(error.value)
