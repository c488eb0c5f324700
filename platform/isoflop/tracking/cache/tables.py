"""Runs and curves as columns in Parquet segments, asked with DuckDB."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.tracking.cache.manifest import Manifest, Segment, Summary, TornError
from isoflop.tracking.cache.run import Curve, Newest, Run

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Nothing is fetched from anywhere: what is needed comes with the package."""
SMALL, MANY = 20_000, 16
"""Segments of fewer rows are put together once there are more than so many of them."""
COLUMNS = ("run", "parent", "generation", "seq", "trial", "replicate", "state", "opened", "tags", "params", "metrics")
RUN = "run, seq, tags, params, metrics"
STATES = "trial, state, opened"
TRIALS = "trial >= 0"
COMPLETE = f"{TRIALS} AND state = 'COMPLETE'"
ASKED = ("run", "trial", "replicate", "state")
"""Columns that conditions and orders name."""
NEWEST = """
SELECT {what} FROM (
  SELECT {columns} FROM read_parquet({files}) WHERE parent = ? AND generation >= ?
  QUALIFY row_number() OVER (PARTITION BY run ORDER BY generation DESC) = 1
) WHERE {where} ORDER BY trial, replicate
"""


class Tables:
    """The segments of a folder. Raises `TornError` where one of them cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        import duckdb  # a third of a second, that reads of what stands in the manifest need not pay

        self._connection = duckdb.connect(config=OFFLINE)
        self._torn = duckdb.Error

    def close(self) -> None:
        """Let go of what is open."""
        self._connection.close()

    def add_runs(self, runs: Sequence[Run], generation: int) -> Segment:
        """Write runs, each once, as they are from a generation on."""
        rows = [_row(run, generation) for run in runs]
        return self._write("runs", COLUMNS, rows, "parent, trial, replicate")

    def add_curves(self, parent: str, curves: Mapping[str, tuple[int, Curve]]) -> Segment:
        """Write curves of a study's trainings, by run, each with the number of its run."""
        rows = [(run, parent, seq, json.dumps(curve)) for run, (seq, curve) in curves.items()]
        return self._write("curves", ("run", "parent", "seq", "curve"), rows, "run")

    def runs(self, manifest: Manifest, study: Summary, *, state: str = "", trial: int | None = None) -> list[Run]:
        """Runs of a study's trainings, by number and replicate: all, or those in a state or of a number."""
        asked = {"state = ?": state or None, "trial = ?": trial}
        chosen = {clause: value for clause, value in asked.items() if value is not None}
        where = " AND ".join([TRIALS, *chosen])
        return [_run(study.run, row) for row in self._newest(manifest, study, RUN, where, list(chosen.values()))]

    def known(self, manifest: Manifest, study: Summary, runs: Sequence[str]) -> dict[str, Run]:
        """What stands of runs of a study, its own among them."""
        where = f"run IN ({', '.join('?' * len(runs))})"
        return {row[0]: _run(study.run, row) for row in self._newest(manifest, study, RUN, where, runs)}

    def last(self, manifest: Manifest, study: Summary) -> list[tuple[int, int, Newest]]:
        """Number, replicate and newest metrics of a study's COMPLETE trainings."""
        rows = self._newest(manifest, study, "trial, replicate, metrics", COMPLETE)
        return [(trial, replicate, _numbers(metrics)) for trial, replicate, metrics in rows]

    def tags(self, manifest: Manifest, study: Summary) -> list[tuple[int, Mapping[str, str]]]:
        """Number and tags of a study's COMPLETE trainings."""
        return [(trial, json.loads(tags)) for trial, tags in self._newest(manifest, study, "trial, tags", COMPLETE)]

    def states(self, manifest: Manifest, study: Summary) -> list[tuple[int, str, str]]:
        """Number and state of a study's trainings, and the digest on which the test set was opened, empty for none."""
        return [(number, state, opened) for number, state, opened in self._newest(manifest, study, STATES, TRIALS)]

    def curves(self, manifest: Manifest, study: Summary) -> dict[str, tuple[int, Curve]]:
        """What stands of a study's curves, by run, each with the number that its run had."""
        if not manifest.curves:
            return {}
        sql = f"SELECT run, seq, curve FROM read_parquet({self._files(manifest.curves)}) WHERE parent = ? ORDER BY seq"
        return {run: (seq, json.loads(curve)) for run, seq, curve in self._all(sql, (study.run,))}

    def compacted(self, manifest: Manifest) -> list[Segment]:
        """The segments of runs, those that are small put together once they are many; their files stay."""
        small = [one for one in manifest.runs if one.rows < SMALL]
        if len(small) <= MANY:
            return manifest.runs
        alive = ", ".join("?" * len(manifest.studies))
        sql = f"""
            SELECT * FROM read_parquet({self._files(small)}) WHERE parent IN ({alive})
            QUALIFY row_number() OVER (PARTITION BY run ORDER BY generation DESC) = 1
        """
        made = self._copy("runs", sql, "parent, trial, replicate", list(manifest.studies))
        return [*(one for one in manifest.runs if one.rows >= SMALL), made]

    def _newest(
        self, manifest: Manifest, study: Summary, what: str, where: str, values: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Columns of the newest row of each run of a study for which a condition holds, by trial and replicate."""
        if not manifest.runs:
            return []
        columns = ", ".join(dict.fromkeys([*what.split(", "), *ASKED]))
        sql = NEWEST.format(what=what, columns=columns, files=self._files(manifest.runs), where=where)
        return self._all(sql, (study.run, study.since, *values))

    def _files(self, segments: Iterable[Segment]) -> str:
        paths = (self.folder / one.name for one in segments)
        return f"[{', '.join(_quoted(path) for path in paths)}]"

    def _write(self, kind: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], order: str) -> Segment:
        arrays = {name: _column(values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)}
        self._connection.register("fresh", arrays)
        try:
            return self._copy(kind, "SELECT * FROM fresh", order, ())
        finally:
            self._connection.unregister("fresh")

    def _copy(self, kind: str, sql: str, order: str, values: Sequence[Any]) -> Segment:
        path = self.folder / f"{kind}-{uuid.uuid4().hex}.parquet"
        to = f"TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
        rows = self._all(f"COPY (SELECT * FROM ({sql}) ORDER BY {order}) {to}", values)[0][0]
        return Segment(name=path.name, rows=rows, bytes=path.stat().st_size)

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, list(values)).fetchall()
        except self._torn as error:
            raise TornError(str(error)) from error


def _row(run: Run, generation: int) -> tuple[Any, ...]:
    key = run.key
    return (
        run.id,
        run.parent,
        generation,
        run.seq,
        key.trial if key else -1,
        key.replicate if key else 0,
        run.tags.get("isoflop.state", ""),
        run.tags.get("isoflop.opened", ""),
        json.dumps(dict(run.tags)),
        json.dumps(dict(run.params)),
        json.dumps(dict(run.metrics)),
    )


def _run(parent: str, row: Sequence[Any]) -> Run:
    run, seq, tags, params, metrics = row
    told, asked = json.loads(tags), json.loads(params)
    return Run(id=run, parent=parent, seq=seq, tags=told, params=asked, metrics=_numbers(metrics))


def _numbers(metrics: str) -> Newest:
    return {name: (value, step) for name, (value, step) in json.loads(metrics).items()}


def _column(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    return np.asarray(values, dtype=np.int64 if isinstance(values[0], int) else object)


def _quoted(path: Path) -> str:
    """A path as SQL has it."""
    return "'" + str(path.absolute()).replace("'", "''") + "'"
