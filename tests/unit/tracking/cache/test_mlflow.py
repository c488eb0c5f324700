"""What stands in MLflow beside whole studies: runs of others, of older writers, of other machines, and deleted ones."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from isoflop.errors import InputError, StateError
from isoflop.journal.memory import MemoryJournal
from isoflop.records import State
from isoflop.tracking.cache.opening import source_of
from isoflop.tracking.cache.served import Served
from isoflop.tracking.cache.sql import SqlSource
from isoflop.tracking.mlflow_connection import create_database
from isoflop.tracking.mlflow_tracker import MlflowTracker
from isoflop.tracking.projection import SEQ
from tests.made_up import Writer


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.sqlite"
    create_database(path, path.parent / "artifacts")
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "mlflow.sqlite"))


def publish(database: Path, journal: MemoryJournal) -> MlflowTracker:
    tracker = MlflowTracker(f"sqlite:///{database}", artifacts=database.parent / "artifacts", home=database.parent)
    for study in journal.studies():
        events = journal.read(study)
        tracker.begin(study, events[0])
        tracker.sync(study, events)
    tracker.close()
    return tracker


def study(name: str = "s-1", clock: float = 0.0) -> MemoryJournal:
    journal = MemoryJournal()
    Writer(journal, name, clock=clock).trial(0, [0.5], State.COMPLETE)
    return journal


def execute(database: Path, sql: str, *values: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql, values)


def served(database: Path) -> Served:
    return Served(SqlSource(f"sqlite:///{database}"), database.parent / "reads")


def test_runs_of_other_programs_are_none_of_ours(database: Path) -> None:
    client = publish(database, study()).client
    (experiment,) = (one.experiment_id for one in client.search_experiments() if one.name == "digits")
    stranger = client.create_run(experiment, run_name="somebody's").info.run_id
    client.log_metric(stranger, "accuracy", 0.9)
    client.log_metric(stranger, SEQ, 99.0)
    reads = served(database)
    assert [row["trials"] for row in reads.studies()] == [1]
    assert reads.notices() == []


def test_a_study_of_a_writer_without_numbers_is_said_and_comes_with_its_next_writing(database: Path) -> None:
    journal = study()
    publish(database, journal)
    for table in ("metrics", "latest_metrics"):
        execute(database, f"DELETE FROM {table} WHERE key = ?", SEQ)
    reads = served(database)
    assert reads.studies() == []
    (line,) = reads.notices()
    assert "study s-1" in line
    assert "isoflop resume s-1" in line
    publish(database, journal)
    reads = served(database)
    assert [row["trials"] for row in reads.studies()] == [1]
    assert reads.notices() == []


def test_of_two_studies_with_one_id_the_older_is_read_and_the_other_is_said(database: Path) -> None:
    publish(database, study(clock=100.0))
    older = study(clock=10.0)
    Writer(older, "s-2")
    publish(database, older)
    reads = served(database)
    assert [(row["id"], row["began"]) for row in reads.studies()] == [("s-2", 1.0), ("s-1", 11.0)]
    (line,) = reads.notices()
    assert "stands there twice" in line


def test_a_study_that_was_deleted_goes_and_comes_back_with_what_it_had(database: Path) -> None:
    client = publish(database, study()).client
    before = served(database).trials("s-1")
    (run,) = (run for (run,) in sqlite3.connect(database).execute("SELECT run_uuid FROM runs WHERE name = 's-1'"))
    client.delete_run(run)
    assert served(database).studies() == []
    client.restore_run(run)
    assert served(database).trials("s-1") == before


def test_a_database_that_breaks_is_one_line_and_mends(database: Path) -> None:
    publish(database, study())
    reads = served(database)
    execute(database, "ALTER TABLE tags RENAME TO hidden")
    with pytest.raises(StateError, match=r"MLflow at sqlite:///.*no such table"):
        reads.version()
    execute(database, "ALTER TABLE hidden RENAME TO tags")
    assert [name for name, _ in reads.version()] == ["s-1"]


@pytest.mark.parametrize("uri", ["ftp://me:hush@host", "file:///x", "mlruns", "http://", "mysql://host/db"])
def test_an_address_that_is_none_is_said_without_its_secret(uri: str) -> None:
    with pytest.raises(InputError, match="address") as caught:
        source_of(uri)
    assert "hush" not in str(caught.value)


def test_a_server_that_is_down_is_one_line_without_its_secret() -> None:
    with pytest.raises(StateError, match="is the server up") as caught:
        source_of("http://me:hush@127.0.0.1:1").heads({})
    assert "hush" not in str(caught.value)
    with pytest.raises(StateError) as caught:
        source_of("postgresql://me:hush@127.0.0.1:1/db")
    assert "hush" not in str(caught.value)
