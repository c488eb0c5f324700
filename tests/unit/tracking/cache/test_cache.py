"""The cache when its files are torn, old, shared by processes, or those of another store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.errors import StateError
from isoflop.home import Home
from isoflop.journal.memory import MemoryJournal
from isoflop.journal.sqlite import SqliteJournal
from isoflop.records import State
from isoflop.tracking.cache import tables
from isoflop.tracking.cache.cache import Cache
from isoflop.tracking.cache.journal import JournalSource
from isoflop.tracking.cache.manifest import NAME
from isoflop.tracking.cache.opening import open_reads
from isoflop.tracking.cache.served import Served
from isoflop.tracking.store import Store
from tests.made_up import Writer


class Counting(JournalSource):
    """A journal that says how much of it was read."""

    def __init__(self, journal: MemoryJournal, home: Path, mark: str = "") -> None:
        super().__init__(journal, home, mark=mark)
        self.read: list[str] = []

    def changes(self, cursors):
        for run in super().changes(cursors):
            self.read.append(run.id)
            yield run


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def source(journal: MemoryJournal, tmp_path: Path) -> Counting:
    return Counting(journal, tmp_path)


def served(source: JournalSource, tmp_path: Path) -> Served:
    return Served(source, tmp_path / "reads")


def folder(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "reads").iterdir()
    return found


def two(journal: MemoryJournal) -> Writer:
    writer = Writer(journal, "s-1")
    writer.trial(0, [0.5, 0.75], State.COMPLETE)
    writer.trial(1, [0.25], State.PRUNED)
    return writer


def test_a_sync_asks_for_what_is_new_alone(journal: MemoryJournal, source: Counting, tmp_path: Path) -> None:
    writer = two(journal)
    reads = served(source, tmp_path)
    assert source.read == ["s-1", "s-1/0", "s-1/1"]
    source.read.clear()
    reads.version()
    assert source.read == []
    writer.trial(2, [0.5], State.COMPLETE)
    served(source, tmp_path)
    assert source.read == ["s-1", "s-1/2"]


TEARS: dict[str, Callable[[Path], None]] = {
    "a manifest cut in half": lambda place: (place / NAME).write_text((place / NAME).read_text()[:50]),
    "a manifest of something else": lambda place: (place / NAME).write_text("[1, 2]"),
    "a manifest of the version before": lambda place: edit(place, format=0),
    "a manifest without segments": lambda place: edit(place, runs=None),
    "a segment that is gone": lambda place: next(place.glob("runs-*")).unlink(),
    "a segment cut in half": lambda place: next(place.glob("runs-*")).write_bytes(b"PAR1"),
    "a segment with other bytes": lambda place: overwrite(next(place.glob("runs-*"))),
    "curves with other bytes": lambda place: overwrite(next(place.glob("curves-*"))),
}


def edit(place: Path, **changes: object) -> None:
    told = json.loads((place / NAME).read_text())
    (place / NAME).write_text(json.dumps(told | changes))


def overwrite(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS.keys())
def test_what_is_torn_or_old_is_made_anew(
    journal: MemoryJournal, source: Counting, tmp_path: Path, tear: Callable[[Path], None]
) -> None:
    two(journal)
    before = served(source, tmp_path).trials("s-1")
    tear(folder(tmp_path))
    again = served(source, tmp_path)
    assert again.trials("s-1") == before
    assert again.studies() == Store(journal, tmp_path).studies()
    assert served(source, tmp_path).trials("s-1") == before


def test_a_reader_survives_a_cache_that_is_made_anew_under_it(
    journal: MemoryJournal, source: Counting, tmp_path: Path
) -> None:
    two(journal)
    reads = served(source, tmp_path)
    before = reads.latest("s-1")
    Cache.of(source, tmp_path / "reads").anew()
    assert reads.latest("s-1") == before


def test_another_store_in_its_place_is_read_anew(tmp_path: Path) -> None:
    first, second = MemoryJournal(), MemoryJournal()
    two(first)
    Writer(second, "s-1").trial(0, [0.125] * 9, State.COMPLETE)
    served(Counting(first, tmp_path, mark="1"), tmp_path)
    reads = served(Counting(second, tmp_path, mark="2"), tmp_path)
    assert reads.studies()[0]["best"] == 0.125
    assert reads.studies()[0]["trials"] == 1


def test_a_number_that_went_back_is_another_history(tmp_path: Path) -> None:
    longer, copy = MemoryJournal(), MemoryJournal()
    two(longer)
    Writer(copy, "s-1").trial(0, [0.5], State.PRUNED)
    served(Counting(longer, tmp_path), tmp_path)
    reads = served(Counting(copy, tmp_path), tmp_path)
    assert reads.counts("s-1") == {"PRUNED": 1}
    assert reads.trials("s-1") == Store(copy, tmp_path).trials("s-1")


def test_a_study_that_is_gone_is_gone(tmp_path: Path) -> None:
    both, one = MemoryJournal(), MemoryJournal()
    for journal, studies in ((both, ("s-1", "s-2")), (one, ("s-1",))):
        for study in studies:
            Writer(journal, study).trial(0, [0.5], State.COMPLETE)
    assert [row["id"] for row in served(Counting(both, tmp_path), tmp_path).studies()] == ["s-1", "s-2"]
    assert [row["id"] for row in served(Counting(one, tmp_path), tmp_path).studies()] == ["s-1"]


def test_small_segments_are_put_together(
    journal: MemoryJournal, source: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MANY", 3)
    writer = two(journal)
    reads = served(source, tmp_path)
    for number in range(2, 9):
        writer.trial(number, [0.5], State.COMPLETE)
        reads.version()
        assert len(list(folder(tmp_path).glob("runs-*"))) <= 3
    assert reads.trials("s-1") == Store(journal, tmp_path).trials("s-1")


def test_what_a_killed_sync_left_is_swept(journal: MemoryJournal, source: Counting, tmp_path: Path) -> None:
    writer = two(journal)
    reads = served(source, tmp_path)
    left = folder(tmp_path) / "runs-left.parquet"
    left.write_bytes(b"half")
    writer.trial(2, [0.5], State.COMPLETE)
    reads.version()
    assert not left.exists()


def test_a_sync_that_fails_leaves_the_cache_as_it_was(journal: MemoryJournal, source: Counting, tmp_path: Path) -> None:
    writer = two(journal)
    served(source, tmp_path)
    writer.trial(2, [0.5], State.COMPLETE)

    class Down(Counting):
        def changes(self, cursors):
            yield next(iter(super().changes(cursors)))
            raise StateError("the line is cut")

    with pytest.raises(StateError, match="the line is cut"):
        served(Down(journal, tmp_path), tmp_path)
    source.read.clear()
    assert served(source, tmp_path).counts("s-1") == {"COMPLETE": 2, "PRUNED": 1}
    assert source.read == ["s-1", "s-1/2"]


def test_a_cache_that_cannot_be_written_is_said(journal: MemoryJournal, source: Counting, tmp_path: Path) -> None:
    two(journal)
    (tmp_path / "reads").write_text("a file")
    with pytest.raises(StateError, match="the cache of reads cannot be used"):
        served(source, tmp_path)


def test_processes_sync_at_once(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    for study in ("s-1", "s-2"):
        writer = Writer(journal, study)
        for number in range(20):
            writer.trial(number, [0.5, number / 20], State.COMPLETE)
    code = "import json; from isoflop.cli.results import open_reads; r = open_reads(None)"
    code += "; print(json.dumps([r.studies(), r.trials('s-1'), r.trials('s-2')]))"
    environment = os.environ | {"ISOFLOP_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    answers = [json.loads(one.communicate()[0]) for one in started]
    truth = Store(journal, tmp_path)
    interrupted = [row | {"state": "RUNNING"} for row in truth.studies()]
    assert answers == [[interrupted, truth.trials("s-1"), truth.trials("s-2")]] * 3


def test_a_journal_in_a_folder_that_is_not_ours_is_read_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Writer(SqliteJournal(tmp_path / "journal.sqlite"), "s-1").trial(0, [0.5], State.COMPLETE)
    monkeypatch.setattr(os, "access", lambda *_: False)
    reads = open_reads(Home(tmp_path))
    assert reads.counts("s-1") == {"COMPLETE": 1}
    assert not (tmp_path / "reads").exists()


def test_a_board_that_stands_loads_nothing_heavy(tmp_path: Path) -> None:
    Writer(SqliteJournal(tmp_path / "journal.sqlite"), "s-1").trial(0, [0.5], State.COMPLETE)
    heavy = ["torch", "ray", "mlflow", "optuna", "streamlit", "sklearn", "pandas", "duckdb", "sqlalchemy"]
    code = "import sys; from isoflop.cli.results import open_reads; r = open_reads(None); r.studies(), r.results()"
    code += f"; print([m for m in {heavy} if m in sys.modules])"
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"ISOFLOP_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert found == ["['duckdb']", "[]"]
