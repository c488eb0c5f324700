"""A process of its own writes what a driver journals."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from isoflop.journal.event import Event
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import State
from isoflop.tracking.remote import tracked_remotely
from tests.made_up import Writer


def written(path: Path) -> Writer:
    """A journal with one study of two trials."""
    writer = Writer(SqliteJournal(path), "s-1")
    writer.trial(0, [0.5, 0.6], State.COMPLETE)
    writer.trial(1, [0.4], State.PRUNED)
    return writer


def test_everything_stands_in_mlflow_at_the_end(tmp_path: Path):
    writer = written(tmp_path / "journal.sqlite")
    database = tmp_path / "mlflow.sqlite"
    with tracked_remotely(
        "s-1",
        tmp_path / "journal.sqlite",
        uri=f"sqlite:///{database}",
        artifacts=tmp_path / "artifacts",
        patience=300,  # MLflow makes its tables first, with the other tests beside
    ) as tell:
        writer.trial(2, [0.7], State.COMPLETE)
        tell(Event(kind=writer.journal.read("s-1")[-1].kind))
    with closing(sqlite3.connect(database)) as connection:
        states = connection.execute("SELECT value FROM tags WHERE key = 'isoflop.state' ORDER BY value").fetchall()
    assert [state for (state,) in states] == ["COMPLETE", "COMPLETE", "PRUNED", "RUNNING"]


def test_what_could_not_be_written_is_logged_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    written(tmp_path / "journal.sqlite")
    (tmp_path / "file").touch()
    uri = f"sqlite:///{tmp_path}/file/mlflow.sqlite"
    with (
        caplog.at_level(logging.WARNING),
        tracked_remotely("s-1", tmp_path / "journal.sqlite", uri=uri, artifacts=tmp_path / "artifacts"),
    ):
        pass
    (line,) = caplog.messages
    assert "study s-1" in line
    assert str(tmp_path) in line
