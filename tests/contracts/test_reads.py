"""What all reads keep: straight from the journal, and from a cache of it, of MLflow's database, and of its server."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import UnknownError
from isoflop.journal.event import Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.ranking import boards
from isoflop.records import Record, State
from isoflop.tracking.cache.journal import JournalSource
from isoflop.tracking.cache.rest import RestSource
from isoflop.tracking.cache.served import Served
from isoflop.tracking.cache.source import Source
from isoflop.tracking.cache.sql import SqlSource
from isoflop.tracking.mlflow_connection import create_database
from isoflop.tracking.mlflow_tracker import MlflowTracker
from isoflop.tracking.reads import Reads
from isoflop.tracking.store import Store
from tests.made_up import CONFIG, DATA, Writer
from tests.places import empty, serving
from tests.postgres import postgres

IMAGES = 400
PLACES = ["journal", "cached journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "server"]
EQUAL = {"flops": 2.0e6, "by": "width"}


@dataclass
class Place:
    """A state folder, and reads of what stands in it."""

    home: Path
    journal: MemoryJournal
    open: Callable[[], Source] | None
    uri: str = ""
    opened: list[Served] = field(default_factory=list)

    def reads(self) -> Reads:
        """Reads as of now, after the records were brought up to date; the cache is the same each time."""
        self.publish()
        if self.open is None:
            return Store(self.journal, self.home)
        self.opened.append(Served(self.open(), self.home / "reads"))
        return self.opened[-1]

    def publish(self) -> None:
        """Write to MLflow what is new."""
        if not self.uri:
            return
        tracker = MlflowTracker(self.uri, artifacts=self.home / "artifacts", home=self.home)
        for study in self.journal.studies():
            events = self.journal.read(study)
            tracker.begin(study, events[0])
            tracker.sync(study, events)
        tracker.close()

    def close(self) -> None:
        for one in self.opened:
            one.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.sqlite"
    create_database(path, path.parent / "artifacts")
    return path


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("server")
    database = folder / "mlflow.sqlite"
    shutil.copy(template, database)
    with serving(database, folder / "artifacts") as uri:
        yield uri, database


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with postgres() as uri:
        MlflowTracker(uri).close()
        yield uri


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = make(request, tmp_path / "a folder's name", MemoryJournal())
    yield made
    made.close()


def make(request: pytest.FixtureRequest, home: Path, journal: MemoryJournal) -> Place:
    home.mkdir()
    if request.param == "journal":
        return Place(home, journal, None)
    if request.param == "cached journal":
        return Place(home, journal, lambda: JournalSource(journal, home))
    if request.param == "sqlite":
        path = home / "mlflow.sqlite"
        shutil.copy(request.getfixturevalue("template"), path)
        uri = f"sqlite:///{path}"
        return Place(home, journal, lambda: SqlSource(uri), uri)
    if request.param == "postgresql":
        uri = request.getfixturevalue("cluster")
        forget(uri)
        return Place(home, journal, lambda: SqlSource(uri), uri)
    uri, database = request.getfixturevalue("server")
    empty(database)
    return Place(home, journal, lambda: RestSource(uri), uri)


def forget(uri: str) -> None:
    """Forget all runs of a database on PostgreSQL."""
    from sqlalchemy import create_engine, text

    engine = create_engine(uri)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE runs CASCADE"))
    engine.dispose()


def fill(place: Place) -> tuple[Writer, Writer]:
    """A search whose trials end in every way, and two finalists on two seeds with the test set opened."""
    spec = {"space": {}, "study": {"name": "digits", "equal": EQUAL, "constraints": ["parameters <= 1e6"]}}
    search = Writer(place.journal, "s-1", spec=spec)
    config = CONFIG | {"model.width": 0.25, "model.depth": 1.5, "augment.policy": "none", "data.note": "1"}
    for number in range(4):
        more = {"config": config, "params": {"optim.lr": 0.1 * number, "model.family": "resnet", "data.note": "1"}}
        search.trial(number, [0.4, 0.7, 0.8 + number / 100], State.COMPLETE, flops=2.02e6, **more)
        search.stored(place.home, number, 0, "val", np.arange(IMAGES) < 320 + 4 * number)
    search.trial(4, [0.3], State.PRUNED, reason="rung", config=config)
    search.trial(5, [], State.INFEASIBLE, reason="parameters <= 10", config=config, flops=0.0)
    search.trial(6, [0.1, math.nan], State.FAILED, reason="diverged", config=config)
    search.write(Kind.CLOSED, payload={"state": "COMPLETE", "reason": "budget"})
    finalists = Writer(place.journal, "s-1-finalists", plan="finalists", parent="s-1", clock=search.clock)
    for number, right in enumerate((380, 320)):
        for replicate in (0, 1):
            more = {"replicate": replicate, "source": f"s-1/{3 - number}", "flops": 2e6 - number}
            finalists.trial(number, [0.6, right / IMAGES], State.COMPLETE, **more)
            for split in ("val", "test"):
                finalists.stored(place.home, number, replicate, split, np.arange(IMAGES) < right - replicate)
            finalists.opened(number, replicate, (right - 4) / IMAGES)
    finalists.write(Kind.CLOSED, payload={"state": "COMPLETE", "reason": ""})
    return search, finalists


def direct(place: Place) -> Store:
    return Store(place.journal, place.home)


def assert_same(found: Reads, truth: Reads) -> None:
    """All that reads tell, as JSON without numbers that are none."""
    assert plain(found.studies()) == plain(truth.studies())
    for study in truth.studies():
        assert plain(found.trials(study["id"])) == plain(truth.trials(study["id"]))
        assert found.counts(study["id"]) == truth.counts(study["id"])
        assert found.luck(study["id"]) == truth.luck(study["id"])
    assert plain(boards(found.results())) == plain(boards(truth.results()))
    assert found.openings() == truth.openings()


def plain(value: object) -> object:
    return json.loads(json.dumps(value, allow_nan=False))


def test_nothing_reads_as_nothing(place: Place) -> None:
    reads = place.reads()
    assert (reads.studies(), reads.results(), reads.version(), reads.openings()) == ([], [], (), {})
    with pytest.raises(UnknownError, match="no study"):
        reads.trials("s-1")


def test_all_reads_tell_the_same(place: Place) -> None:
    fill(place)
    found = place.reads()
    assert_same(found, direct(place))
    (rows,) = boards(found.results()).values()
    assert [(row["source"], round(row["searched"], 6), row["tie_split"]) for row in rows] == [
        ("s-1/3", 0.83, "test"),
        ("s-1/2", 0.82, "test"),
    ]
    assert rows[0]["luck"] > 0
    trials = found.trials("s-1")
    assert [trials[0][name] for name in ("solved", "residual")] == [{"model.width": 0.25}, pytest.approx(0.01)]
    assert trials[1]["params"] == {"optim.lr": 0.1, "model.family": "resnet", "data.note": "1"}
    assert trials[6]["records"][1]["metrics"]["val_accuracy"] is None


def test_a_search_has_the_results_of_its_finalists(place: Place) -> None:
    fill(place)
    reads = place.reads()
    assert [one.run for one in reads.results("s-1")] == [one.run for one in reads.results("s-1-finalists")]
    with pytest.raises(UnknownError, match="did you mean 's-1'"):
        reads.results("s1")


def test_what_comes_later_appears(place: Place) -> None:
    search = Writer(place.journal, "s-1")
    search.trial(0, [0.5], State.COMPLETE)
    search.trial(1, [0.5])
    before = place.reads().version()
    search.write(Kind.RECORD, 1, index=2, payload=made(2, 0.75).to_dict())
    search.write(Kind.END, 1, payload={"state": "COMPLETE", "reason": ""})
    search.trial(2, [0.25], State.PRUNED)
    reads = place.reads()
    assert reads.version() > before
    assert reads.counts("s-1") == {"COMPLETE": 2, "PRUNED": 1}
    (row,) = reads.studies()
    assert (row["best"], row["best_trial"]) == (0.75, 1)
    assert [len(one["records"]) for one in reads.trials("s-1")] == [1, 2, 1]
    assert_same(reads, direct(place))


def made(report: int, value: float) -> Record:
    values = {"step": report, "epoch": float(report), "images": 64, "flops": 1.0, "fidelity": float(report)}
    return Record(report=report, metrics={"val_accuracy": value}, measured={"seconds": 0.5}, **values)


def test_a_verdict_on_a_run_that_had_ended_appears(place: Place) -> None:
    _, finalists = fill(place)
    assert place.reads().results()[0].verdicts == (None, None)
    payload = {"answer": "within", "tolerance": 0.01, "first": None, "hardware": "h", "code": "c", "off": math.inf}
    finalists.write(Kind.VERDICT, 0, replicate=1, payload=payload | {"other_code": True})
    reads = place.reads()
    assert reads.results()[0].verdicts == (None, payload | {"other_code": True, "off": None})
    assert [one["reproduced"] is None for one in reads.trials("s-1-finalists")] == [True, False, True, True]
    assert_same(reads, direct(place))


def test_a_report_of_a_whole_study_changes_no_row(place: Place) -> None:
    search, _ = fill(place)
    before = [row for row in place.reads().studies() if row["id"] == "s-1"]
    search.write(Kind.REPORTED, payload={"files": [], "numbers": {"error": 0.5}})
    after = [row for row in place.reads().studies() if row["id"] == "s-1"]
    assert [row | {"updated": 0} for row in after] == [row | {"updated": 0} for row in before]
    assert_same(place.reads(), direct(place))


def test_a_study_that_goes_on_is_not_closed(place: Place) -> None:
    search, _ = fill(place)
    place.reads()
    about = {"name": "digits", "plan": "search", "spec": {"space": {}, "study": {}}, "data": DATA, "parent": None}
    search.write(Kind.STUDY, index=1, payload=about | {"provenance": {}})
    search.trial(7, [0.99], State.COMPLETE)
    reads = place.reads()
    row = next(row for row in reads.studies() if row["id"] == "s-1")
    assert (row["state"], row["best"], row["reason"]) == ("RUNNING", 0.99, "")
    assert_same(reads, direct(place))


def test_a_seed_that_is_lost_counts(place: Place) -> None:
    _, finalists = fill(place)
    finalists.trial(0, [0.2], State.FAILED, replicate=2, source="s-1/3", reason="diverged")
    reads = place.reads()
    assert [one.lost for one in reads.results()] == [1, 0]
    assert_same(reads, direct(place))


def test_torn_predictions_are_a_fault_of_their_row(place: Place) -> None:
    writer = Writer(place.journal, "f-1", plan="finalists", parent="s-1")
    writer.trial(0, [0.5], State.COMPLETE, source="s-1/0")
    writer.stored(place.home, 0, 0, "val", np.arange(9) < 5)
    (place.home / "f-1-0-0-val.npz").write_bytes(b"torn")
    (found,) = place.reads().results()
    assert not found.hits
    assert "f-1-0-0-val.npz" in found.faults[0]


def test_out_of_memory_is_told_with_what_it_went_on_with(place: Place) -> None:
    writer = Writer(place.journal, "s-1")
    writer.trial(0, [], config=CONFIG | {"train.micro_batch": 64})
    retry = {"config": CONFIG | {"train.micro_batch": 32}, "fingerprint": "g", "reason": "out of memory"}
    writer.write(Kind.RETRY, 0, index=1, payload=retry)
    writer.write(Kind.MEASURED, 0, payload={"latency": 1.5, "hardware": "h"})
    reads = place.reads()
    assert [(one["fingerprint"], one["latency"]) for one in reads.trials("s-1")] == [("g", 1.5)]
    assert_same(reads, direct(place))


def test_deleting_the_cache_loses_nothing(place: Place) -> None:
    fill(place)
    before = plain(place.reads().studies())
    shutil.rmtree(place.home / "reads", ignore_errors=True)
    reads = place.reads()
    assert plain(reads.studies()) == before
    assert_same(reads, direct(place))
