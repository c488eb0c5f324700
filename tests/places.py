"""Places where MLflow keeps records: a database made once and copied, a PostgreSQL of our own, a server on loopback."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
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


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of our own, on a socket in a folder of its own alone: the address of its database."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("there is no PostgreSQL on this machine: install it, so that initdb and pg_ctl are on the PATH")
    with tempfile.TemporaryDirectory(prefix="isoflop-pg-") as folder:  # a socket's path must be short
        root = os.geteuid() == 0  # whom it refuses to run as
        if root:
            os.chown(folder, NOBODY, NOBODY)
        us = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if root else []
        data = f"{folder}/data"
        _run([*us, "initdb", "-D", data, "-U", "isoflop", "-A", "trust", "--no-sync"], folder)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        _run([*us, "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"], folder)
        try:
            yield f"postgresql+psycopg2://isoflop@/postgres?host={folder}"
        finally:
            _run([*us, "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], folder)


def _run(command: list[str], folder: str) -> None:
    # No pipes: the server would inherit them, and nobody would see their end.
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
