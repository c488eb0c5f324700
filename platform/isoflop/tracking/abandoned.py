"""Runs that MLflow shows as running though nobody runs their study: a driver that was killed could not end them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

RUNS = """
SELECT runs.run_uuid, tags.value FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid
WHERE tags.key = 'isoflop.study' AND runs.status = 'RUNNING' AND runs.lifecycle_stage = 'active'
ORDER BY tags.value, runs.start_time, runs.run_uuid
"""


def count_runs(database: Path) -> int:
    """How many runs stand in MLflow's database. Raises `sqlite3.Error` where it cannot be read."""
    with closing(_open(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def running_runs(database: Path) -> dict[str, str]:
    """Studies by the runs that are shown as running. Raises `sqlite3.Error` where the database cannot be read."""
    with closing(_open(database)) as connection:
        return dict(connection.execute(RUNS).fetchall())


def end_runs(database: Path, artifacts: Path, ended: Mapping[str, float]) -> None:
    """End runs at Unix seconds, as killed; a resumed study goes on with them. Raises `StateError` where it fails."""
    from isoflop.tracking.mlflow_tracker import MlflowTracker  # seconds, and only here

    tracker = MlflowTracker(f"sqlite:///{database}", artifacts=artifacts)
    try:
        tracker.end(ended)
    finally:
        tracker.close()


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
