"""MLflow's own database as a source, on SQLite or PostgreSQL: read, never written, and without MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from isoflop.errors import Fault, InputError, StateError
from isoflop.tracking.cache.points import curves_of
from isoflop.tracking.cache.run import Curve, Run
from isoflop.tracking.cache.source import Source
from isoflop.tracking.cache.strangers import Head, settled
from isoflop.tracking.projection import SEQ, STUDY_RUN
from isoflop.tracking.redaction import hide_userinfo

BATCH = 500
"""Runs whose rows are asked for at once."""
# The tag `isoflop.seq` is that of studies' own runs alone, so that this looks at no other.
HEADS = f"""
SELECT runs.run_uuid, seq.value, study.value, began.value, number.value
FROM tags AS seq
JOIN runs ON runs.run_uuid = seq.run_uuid AND runs.lifecycle_stage = 'active'
JOIN tags AS study ON study.run_uuid = seq.run_uuid AND study.key = 'isoflop.study'
JOIN tags AS began ON began.run_uuid = seq.run_uuid AND began.key = 'isoflop.began'
LEFT JOIN latest_metrics AS number ON number.run_uuid = seq.run_uuid AND number.key = '{SEQ}'
WHERE seq.key = 'isoflop.seq'
"""  # noqa: S608 - a name of our own
NUMBERS = f"""
SELECT number.run_uuid, number.value, parent.value
FROM latest_metrics AS number
JOIN tags AS parent ON parent.run_uuid = number.run_uuid AND parent.key = '{STUDY_RUN}'
JOIN runs ON runs.run_uuid = number.run_uuid AND runs.lifecycle_stage = 'active'
WHERE number.key = '{SEQ}' AND number.value > {{}}
"""  # noqa: S608
TAGS = "SELECT run_uuid, key, value FROM tags WHERE run_uuid IN ({}) AND key LIKE 'isoflop.%'"
PARAMS = "SELECT run_uuid, key, value FROM params WHERE run_uuid IN ({})"
LATEST = "SELECT run_uuid, key, value, step FROM latest_metrics WHERE run_uuid IN ({}) AND NOT is_nan"
POINTS = """
SELECT run_uuid, key, step, value FROM metrics WHERE run_uuid IN ({}) AND step > 0 AND NOT is_nan ORDER BY timestamp
"""


class SqlSource:
    """The runs of an MLflow database. Raises `InputError` where there is none, `StateError` where it cannot be read."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._connection, self._mark = _open(uri)
        self._broken = False
        self._notices: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Its address without user and password."""
        return hide_userinfo(self.uri)

    @property
    def mark(self) -> str:
        """MLflow gives each run a name of its own."""
        return ""

    def heads(self, cursors: Mapping[str, int]) -> Mapping[str, int]:
        """Every study that stands, by its run."""
        del cursors
        found = [
            Head(run=run, study=study, began=float(began), seq=int(seq), numbered=number is not None)
            for run, seq, study, began, number in self._all(HEADS)
        ]
        heads, self._notices = settled(found)
        return heads

    def changes(self, cursors: Mapping[str, int]) -> Iterator[Run]:
        """The runs above the cursors, whole."""
        if not cursors:
            return
        numbers = self._all(NUMBERS.format(self._mark), (min(cursors.values()),))
        changed = {run: parent for run, seq, parent in numbers if parent in cursors and seq > cursors[parent]}
        parents = {run: run for run in cursors} | changed
        for runs in _batches(list(parents)):
            yield from self._runs(runs, parents)

    def curves(self, study: str, runs: Sequence[Run]) -> Mapping[str, Curve]:
        """All values of runs."""
        del study
        return curves_of(row for batch in _batches([run.id for run in runs]) for row in self._rows(POINTS, batch))

    def running(self, study: str) -> bool:
        """Nothing is known of leases here: what is not closed runs."""
        del study
        return True

    def notices(self) -> Sequence[str]:
        """Studies that were left out."""
        return self._notices

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _runs(self, runs: Sequence[str], parents: Mapping[str, str]) -> Iterator[Run]:
        tags: dict[str, dict[str, str]] = {run: {} for run in runs}
        params: dict[str, dict[str, str]] = {run: {} for run in runs}
        metrics: dict[str, dict[str, tuple[float, int]]] = {run: {} for run in runs}
        for run, key, value in self._rows(TAGS, runs):
            tags[run][key] = value
        for run, key, value in self._rows(PARAMS, runs):
            params[run][key] = value
        for run, key, value, step in self._rows(LATEST, runs):
            metrics[run][key] = value, step
        for run in runs:
            seq = int(metrics[run].pop(SEQ, (0, 0))[0])
            yield Run(id=run, parent=parents[run], seq=seq, tags=tags[run], params=params[run], metrics=metrics[run])

    def _rows(self, sql: str, runs: Sequence[str]) -> list[tuple[Any, ...]]:
        return self._all(sql.format(", ".join([self._mark] * len(runs))), runs)

    def _all(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, each in a transaction of its own, so that nothing is held open beside the writer."""
        try:
            if self._broken:
                self._connection, self._mark = _open(self.uri)
                self._broken = False
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(sql if self._mark == "?" else sql.replace("%'", "%%'"), tuple(values))
                found: list[tuple[Any, ...]] = cursor.fetchall()
            self._connection.rollback()
        except Exception as error:  # each driver has errors of its own
            self._broken = True
            raise _unreadable(self.uri, error) from error
        return found


def _open(uri: str) -> tuple[Any, str]:
    """A connection for reading, and what stands for a value in its SQL."""
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///")).absolute()
        if not path.is_file():
            raise InputError(Fault(str(path), "there is no MLflow database", "see: isoflop doctor"))
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30.0, check_same_thread=False)
        return connection, "?"
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return create_engine(uri).raw_connection(), "%s"
    except (SQLAlchemyError, ImportError) as error:
        raise _unreadable(uri, error) from error


def _unreadable(uri: str, error: Exception) -> StateError:
    what = str(error).strip().splitlines() or [type(error).__name__]
    return StateError(hide_userinfo(f"MLflow at {uri}: {what[0][:300]}"))


def _batches(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(runs), BATCH):
        yield runs[at : at + BATCH]


_: Callable[[str], Source] = SqlSource
