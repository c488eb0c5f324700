"""Trials as a table in a file."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import duckdb
import pytest

from isoflop.errors import InputError, UnknownError
from isoflop.journal.memory import MemoryJournal
from isoflop.records import State
from isoflop.tracking.export import table_of, write
from isoflop.tracking.store import Store
from tests.made_up import Writer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    journal = MemoryJournal()
    search = Writer(journal, "s-1")
    search.trial(0, [0.25, 0.5], State.COMPLETE, params={"optim.lr": 0.1, "model.norm": "a 'quoted', text"})
    search.trial(1, [math.nan], State.PRUNED, params={"optim.lr": 1}, reason="rung\nof two")
    search.trial(2)
    finalists = Writer(journal, "s-1-finalists", plan="finalists", parent="s-1")
    for replicate in (0, 1):
        finalists.trial(0, [0.5], State.COMPLETE, replicate=replicate, source="s-1/0")
        finalists.opened(0, replicate, 0.5 + replicate / 4)
    return Store(journal, tmp_path)


def test_a_training_has_a_row(store: Store, tmp_path: Path) -> None:
    rows = list(table_of(store, ["s-1", "s-1-finalists"]))
    write(rows, tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    search, finalists = [("s-1", str(number), "0") for number in range(3)], "s-1-finalists"
    assert [(row["study"], row["number"], row["replicate"]) for row in found] == [
        *search,
        (finalists, "0", "0"),
        (finalists, "0", "1"),
    ]
    first, second, third, *_, last = found
    assert (first["val_accuracy"], first["reports"], first["param.model.norm"]) == ("0.5", "2", "a 'quoted', text")
    assert (second["val_accuracy"], second["rung"], second["reason"]) == ("", "1", "rung\nof two")
    assert (third["state"], third["reports"], third["val_accuracy"]) == ("WAITING", "0", "")
    assert [row["test_accuracy"] for row in found] == ["", "", "", "0.5", "0.75"]
    assert last["source"] == "s-1/0"


def test_parquet_keeps_types(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    write(list(table_of(store, ["s-1"])), path)
    found = duckdb.connect().execute(f"SELECT * FROM '{str(path).replace(chr(39), chr(39) * 2)}'")
    types = {name: str(kind) for name, kind, *_ in found.description or ()}
    assert [types[name] for name in ("number", "val_accuracy", "param.optim.lr", "state", "latency")] == [
        "BIGINT", "DOUBLE", "DOUBLE", "VARCHAR", "VARCHAR",
    ]  # fmt: skip
    assert len(found.fetchall()) == 3
    assert list(tmp_path.iterdir()) == [path], "nothing is left beside"


def test_what_cannot_be_written_is_said(store: Store, tmp_path: Path) -> None:
    rows = list(table_of(store, ["s-1"]))
    for path, said in ((tmp_path / "x.xls", r"\.csv or \.parquet"), (tmp_path / "no" / "x.csv", "mkdir -p")):
        with pytest.raises(InputError, match=said):
            write(rows, path)
    with pytest.raises(UnknownError, match="did you mean 's-1'"):
        list(table_of(store, ["s1"]))
