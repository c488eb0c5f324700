"""`kill -9` at every named point: the study goes on where it was, and its end is the undisturbed run's.

Everything runs on the inline executor, where the worker's code runs in the driver's process: the worker's points end
the driver too. On Ray they end a worker; `test_faults.py` kills workers there.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from isoflop.crashpoints import POINTS
from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.tracking.projection import SEQ
from isoflop.tracking.store import Store

SPEC = """
space:
  model.family: lenet
  model.stem: 1
  optim.lr: {float: [0.01, 0.1], log: true}
study:
  data: digits
  fidelity: {horizon: 3, reports: 3}
  halving: {eta: 3, rungs: 1}
  budget: {trials: 3}
  look_ahead: 2
  sampler: {name: random}
"""
SEARCH, FINALISTS = "s", "s-finalists"
CALLS = {
    "journal.before_append": [1, 9],
    "journal.inside_append": [1, 9],
    "journal.after_append": [1, 9],
    "record.before_listeners": [8],
    "checkpoint.before_rename": [2],
    "checkpoint.after_rename": [2],
    "tracker.after_create": [1, 2],
    "tracker.before_end": [2],
    "trial.start": [2],
    "worker.step": [4],
    "worker.before_outcome": [4],
}
"""At which of its calls a point ends the process, where it is not the first."""
FIRST = {"trial.resume": "worker.before_outcome:3"}
"""What ends a run before the one that comes to the point."""
CASES = [(point, call) for point in POINTS for call in CALLS.get(point, [1])]


class Commands:
    """The command line, in processes that are forked from one that has imported everything."""

    def __init__(self, spec: Path) -> None:
        self.spec = str(spec)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def run(self, home: Path, study: str, crash: str = "") -> int:
        """Run a study, or go on with it; the exit code, -9 where it was killed."""
        search = ["search", self.spec, "--study", SEARCH, "--executor", "inline"]
        finalists = ["finalists", SEARCH, "--top", "1", "--seeds", "1", "--executor", "inline"]
        words = search if study == SEARCH else finalists
        order = {"home": str(home), "words": words, "crash": crash, "output": str(home / "output.txt")}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def done(self, home: Path, study: str) -> None:
        """Run a study to its end."""
        assert self.run(home, study) == 0, (home / "output.txt").read_text()


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    spec = tmp_path_factory.mktemp("spec") / "spec.yaml"
    spec.write_text(SPEC)
    commands = Commands(spec)
    yield commands
    assert commands.process.stdin is not None
    commands.process.stdin.close()
    commands.process.wait(timeout=60)


@pytest.fixture(scope="module")
def fresh(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with data alone."""
    path = tmp_path_factory.mktemp("crashes") / "fresh"
    shutil.copytree(home.data, path / "data")
    return path


@pytest.fixture(scope="module")
def searched(fresh: Path, commands: Commands) -> Path:
    """The undisturbed search."""
    return gone_on(fresh, SEARCH, commands)


@pytest.fixture(scope="module")
def final(searched: Path, commands: Commands) -> Path:
    """The undisturbed finalists behind it."""
    return gone_on(searched, FINALISTS, commands)


@pytest.fixture(scope="module")
def begun(fresh: Path, searched: Path) -> Path:
    """A state folder with data and the empty database of records, which takes seconds to make."""
    path = fresh.with_name("begun")
    shutil.copytree(fresh, path)
    with (
        closing(sqlite3.connect(searched / "mlflow.sqlite")) as whole,
        closing(sqlite3.connect(path / "mlflow.sqlite")) as empty,
    ):
        whole.backup(empty)
        for table in (
            "experiment_tags",
            "latest_metrics",
            "metrics",
            "params",
            "tags",
            "input_tags",
            "inputs",
            "datasets",
            "runs",
        ):
            empty.execute(f"DELETE FROM {table}")
        empty.execute("DELETE FROM experiments WHERE name != 'Default'")
        empty.commit()
    return path


def gone_on(before: Path, study: str, commands: Commands) -> Path:
    """A copy of a state folder in which a study has run to its end."""
    path = before.with_name(study)
    shutil.copytree(before, path)
    commands.done(path, study)
    return path


def table(home: Path, study: str) -> list[tuple[Any, ...]]:
    """Every trial, without what was measured."""
    rows = Store(SqliteJournal.open_readonly(home / "journal.sqlite"), home).trials(study)
    for row in rows:
        row["records"] = [{name: value for name, value in r.items() if name != "measured"} for r in row["records"]]
    return rows


def tracked(home: Path, study: str) -> dict[str, Any]:
    """Every run that the tracker has of a study: its status, state, and metrics that are not measured.

    Nor up to which event it stands: a study that was gone on with has more of them.
    """
    with closing(sqlite3.connect(home / "mlflow.sqlite")) as database:
        runs = database.execute(
            "SELECT r.run_uuid, r.name, r.status FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid"
            " WHERE t.key = 'isoflop.study' AND t.value = ? AND r.lifecycle_stage = 'active'",
            (study,),
        ).fetchall()
        assert len({name for _, name, _ in runs}) == len(runs), "a run was made twice"
        return {name: (status, *_about(database, run)) for run, name, status in runs}


def _about(database: sqlite3.Connection, run: str) -> tuple[Any, ...]:
    state = database.execute("SELECT value FROM tags WHERE run_uuid = ? AND key = 'isoflop.state'", (run,)).fetchall()
    metrics = database.execute(
        "SELECT key, step, value FROM metrics WHERE run_uuid = ? AND key NOT LIKE 'measured.%' AND key != ?"
        " ORDER BY key, step",
        (run, SEQ),
    ).fetchall()
    return state, metrics


def assert_nothing_was_trained_again(home: Path, study: str) -> None:
    ended: set[tuple[int, int]] = set()
    for event in SqliteJournal.open_readonly(home / "journal.sqlite").read(study):
        place = (event.trial, event.replicate)
        assert place not in ended or event.kind in {Kind.ARTIFACT, Kind.OPENED}, f"{event} after the end"
        ended |= {place} if event.kind is Kind.END else set()


def test_every_point_is_walked_through():
    assert {point for point, _ in CASES} == set(POINTS)


@pytest.mark.parametrize(("point", "call"), CASES, ids=[f"{point}:{call}" for point, call in CASES])
def test_a_killed_study_ends_as_an_undisturbed_one(
    point: str, call: int, request: pytest.FixtureRequest, commands: Commands, tmp_path: Path
):
    study = FINALISTS if point == "artifacts.before_end" else SEARCH
    before, whole = ("searched", "final") if study == FINALISTS else ("begun", "searched")
    shutil.copytree(request.getfixturevalue(before), home := tmp_path / "home")
    for crash in filter(None, (FIRST.get(point), f"{point}:{call}")):
        code = commands.run(home, study, crash)
        assert code == -9, f"{crash} was not reached: {(home / 'output.txt').read_text()}"
    commands.done(home, study)
    undisturbed = request.getfixturevalue(whole)
    assert table(home, study) == table(undisturbed, study)
    assert_nothing_was_trained_again(home, study)
    assert tracked(home, study) == tracked(undisturbed, study)
