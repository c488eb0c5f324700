"""Places where MLflow keeps records: a database made once and copied, a server on loopback."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

TABLES = ("tags", "params", "metrics", "latest_metrics", "input_tags", "inputs", "datasets", "runs")


def empty(database: Path) -> None:
    """Forget all runs of a database on SQLite."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")


@contextmanager
def serving(database: Path, artifacts: Path) -> Iterator[str]:
    """MLflow's own server on a database, as a process: its address."""
    command = [sys.executable, "-m", "tests.mlflow_server", str(database), artifacts.as_uri()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
