"""MLflow's client and database: made, opened, and what is said where they fail.

Importing this module loads mlflow, which takes seconds.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Before the import: nothing is sent home, nothing is printed for what is raised as well, and a dead server is given up
# after seconds, since the thread that writes tries again anyway. The client itself tries nothing twice: a run that was
# made by a request whose answer was lost would be made again.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of what SQLAlchemy deprecates
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking import MlflowClient

from sqlalchemy.exc import SQLAlchemyError

from isoflop.errors import StateError
from isoflop.tracking.redaction import hide_secrets

LOCAL = "sqlite:///"


class Connection:
    """A client of a tracking server or database. Raises `StateError` where it cannot be used.

    `artifacts` is the folder of runs' files, by default beside the database where that is a file. A server decides for
    itself where files stand.
    """

    def __init__(self, uri: str, artifacts: Path | None) -> None:
        database = Path(uri.removeprefix(LOCAL)) if uri.startswith(LOCAL) else None
        self.artifacts = artifacts or (database.parent / "mlflow-artifacts" if database else None)
        if uri.startswith(("http://", "https://")):
            self.artifacts = None
        self._store: SqlAlchemyStore | None = None
        with explained(uri), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if database is not None and self.artifacts is not None:
                create_database(database, self.artifacts)
                self._store = SqlAlchemyStore(uri, self.artifacts.absolute().as_uri())
            self.client = MlflowClient(uri)

    def close(self) -> None:
        """Close the database's connections, so that a database made anew at the same place is opened anew."""
        if self._store is not None:
            self._store.engine.dispose()


def create_database(path: Path, artifacts: Path) -> None:
    """Make MLflow's database where there is none, in WAL mode; it is made beside and renamed, so none is half made."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}-new")
    with path.with_name(f".{path.name}-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two drivers may come at once
        if path.exists():
            return
        for left in path.parent.glob(f"{beside.name}*"):
            left.unlink()
        SqlAlchemyStore(f"{LOCAL}{beside}", artifacts.absolute().as_uri()).engine.dispose()
        connection = sqlite3.connect(beside)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()  # the last one to close leaves one whole file
        beside.replace(path)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn the ways in which MLflow fails into one line."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error, ImportError) as error:
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise StateError(hide_secrets(f"MLflow at {uri}: {what[0][:300]}{_remedy(error, what[0], uri)}")) from error


def _remedy(error: Exception, what: str, uri: str) -> str:
    if "out-of-date" in what:
        return f"; back the file up, then run: mlflow db upgrade {uri}"
    return "; install what drives this kind of database" if isinstance(error, ImportError) else ""
