"""Trials as one table in a file: a row a training, for whoever looks at them elsewhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from isoflop.errors import Fault, InputError
from isoflop.tasks import TEST
from isoflop.tracking.reads import Reads

ENDINGS = {".csv": "(FORMAT csv, HEADER)", ".parquet": "(FORMAT parquet, COMPRESSION zstd)"}
PLAIN = (
    "number", "replicate", "state", "reason", "family", "source", "seed", "fingerprint", "rung", "flops", "parameters",
    "memory", "latency", "residual",
)  # fmt: skip
Row: TypeAlias = dict[str, Any]


def table_of(reads: Reads, studies: Iterable[str]) -> Iterator[Row]:
    """A row a training: its study, what is known of it, metrics of its last report and on the test set, parameters.

    `param.KEY` is what was sampled, `solved.KEY` what was solved for equal FLOPs, by dotted key; metrics keep their
    names. Raises `UnknownError` for an unknown study.
    """
    about = {row["id"]: row for row in reads.studies()}
    for study in studies:
        tests = _tests(reads, study)
        for trial in reads.latest(study):
            last: Row = trial["records"][-1] if trial["records"] else {"report": 0, "metrics": {}}
            yield {
                "study": study,
                "plan": about[study]["plan"],
                "data": about[study]["data"],
                "data_digest": about[study]["data_digest"],
                **{name: trial[name] for name in PLAIN},
                "reports": last["report"],
                "reproduced": (trial["reproduced"] or {}).get("answer"),
                **last["metrics"],
                **tests.get((trial["number"], trial["seed"]), {}),
                **{f"param.{key}": value for key, value in trial["params"].items()},
                **{f"solved.{key}": value for key, value in trial["solved"].items()},
            }


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows as CSV or Parquet, as the file's name ends; it is written beside and renamed.

    Raises `InputError` for another ending, a folder that is not there, or one that cannot be written.
    """
    if path.suffix not in ENDINGS:
        raise InputError(Fault(str(path), "this is no kind of table", f"end it in {' or '.join(ENDINGS)}"))
    if not path.absolute().parent.is_dir():
        raise InputError(Fault(str(path), "its folder is not there", f"run: mkdir -p {path.absolute().parent}"))
    import duckdb

    types = _types(rows)
    columns = ", ".join(f"{_quoted(name)}: '{kind}'" for name, kind in types.items())
    try:
        with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=f".{path.name}-") as folder:
            lines, made = Path(folder) / "rows.json", Path(folder) / path.name
            lines.write_text("\n".join(json.dumps(dict(row)) for row in rows))
            read = f"read_json({_quoted(lines)}, format = 'newline_delimited', columns = {{{columns}}})"
            with duckdb.connect() as connection:
                connection.execute(f"COPY (SELECT * FROM {read}) TO {_quoted(made)} {ENDINGS[path.suffix]}")
            made.replace(path)
    except OSError as error:
        raise InputError(
            Fault(str(path), f"it cannot be written ({error.strerror})", "choose another place")
        ) from error


def _tests(reads: Reads, study: str) -> dict[tuple[int, int], dict[str, float]]:
    """Metrics on the test set by trial and seed, of those for which it was opened."""
    return {
        (result.trial, seed): {name: values[place] for name, values in result.values.items() if name.startswith(TEST)}
        for result in reads.results(study)
        if result.study == study
        for place, seed in enumerate(result.seeds)
    }


def _types(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The type of each column in order of appearance: what holds all its values."""
    found: dict[str, set[type]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, set()).update({type(value)} - {type(None)})
    return {name: _type(kinds) for name, kinds in found.items()}


def _type(kinds: set[type]) -> str:
    if kinds and kinds <= {bool}:
        return "BOOLEAN"
    if kinds and kinds <= {int}:
        return "BIGINT"
    return "DOUBLE" if kinds and kinds <= {int, float} else "VARCHAR"


def _quoted(text: object) -> str:
    """A text as SQL has it."""
    return "'" + str(text).replace("'", "''") + "'"
