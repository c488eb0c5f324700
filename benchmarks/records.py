"""Records in MLflow while servers and drivers die: the same as if nobody had.

A search of real trainings on the digits is run with its MLflow server undisturbed, then again while the server is
killed with `kill -9` and brought back twice, while it hangs (it is stopped, and goes on later), and while its database
is locked. Then a driver is killed at random moments and the search resumed each time, with a tracker in the driver and
an MLflow server, and with a tracker in a process of its own and a database in a file.

Counted at the end of each: runs that are shown as running, runs that are too many, runs that differ from the journal in
anything (every value of every metric with its step and time, parameters, tags, status, what hangs below what), and runs
that differ from the undisturbed search's in what is not measured. Any of them makes this exit with 1. Seconds are those
of the search from its first event to its last: records that wait must not make it longer. Where the server is not back
when a search ends, `isoflop track` writes what waits in the journal, and the runs that it wrote are counted as late.

Time: about 15 minutes for 20 kills on two cores, 3 with --quick (2 kills, the server killed twice).
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks import kills as deaths
from benchmarks.kills import EARLY, LAG_SECONDS, SPACE, START_SECONDS, STUDY, ends
from benchmarks.mlflow_server import MlflowServer, mlflow_server
from benchmarks.report import table
from isoflop.bench import ExecutorName
from isoflop.data import prepare
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.provenance import holder
from isoflop.tracking.address import VARIABLE
from isoflop.tracking.audit import What, audit
from isoflop.tracking.mending import find, mend
from isoflop.tracking.mlflow_tracker import MlflowTracker
from isoflop.tracking.projection import SEQ, STUDY_RUN, project

TRIALS = 18
TREE = {
    "space": SPACE,
    "study": {**STUDY, "budget": {"trials": TRIALS}, "sampler": {"name": "random"}, "resources": {"workers": 1}},
}
OWN = {
    *(
        "isoflop.began",
        "isoflop.name",
        "isoflop.seq",
        "isoflop.study",
        STUDY_RUN,
        "isoflop.updated",
        "isoflop.versions",
    ),
    *("mlflow.parentRunId", "mlflow.runName"),
}
"""Tags that two searches need not share."""
LOOK_SECONDS = 0.05
EVENTS = 8
"""After how many events of the journal a driver dies at most."""
Meddle: TypeAlias = Callable[[MlflowServer, "Progress"], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What stands in MLflow at the end of a search."""

    kills: int
    seconds: float
    """From the search's first event to its last, without what it stood still while a server started."""
    runs: int
    running: int
    """Runs that are shown as running."""
    twice: int
    """Runs that are too many."""
    wrong: int
    """Runs that differ from the journal."""
    differ: int
    """Runs that differ from the undisturbed search's."""
    late: int = 0
    """Runs that were whole only after `isoflop track`: the server was not back when the search ended."""

    @property
    def harmed(self) -> bool:
        """Whether anything is not as it should be."""
        return bool(self.running or self.twice or self.wrong or self.differ)


class Progress:
    """How far a search is, by its journal."""

    def __init__(self, home: Home, study: str, driver: subprocess.Popen[str]) -> None:
        self.journal, self.study, self.driver = SqliteJournal(home.journal), study, driver
        self.stood = 0.0

    def events(self) -> int:
        """How many events stand."""
        return len(self.journal.read(self.study))

    def wait(self, more: int) -> None:
        """Wait until so many more events stand, or the search ends."""
        goal = self.events() + more
        while self.events() < goal and not ends(self.driver, LOOK_SECONDS):
            pass

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the driver stand still while the context lasts, so that it does not matter how long that takes."""
        began = time.monotonic()
        self.driver.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.driver.send_signal(signal.SIGCONT)
            self.stood += time.monotonic() - began


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 kills of a driver, and a server that is killed twice")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kills", type=int, default=None, help="Of drivers; default: 20.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kills = options.kills or (2 if options.quick else 20)
    names = list(MEDDLES)[: 2 if options.quick else None]
    with tempfile.TemporaryDirectory(prefix="isoflop-records-") as folder:
        found = storm(Path(folder), names, {"inline": kills - kills // 2, "ray": kills // 2}, seed=options.seed)
    print(json.dumps({name: asdict(one) for name, one in found.items()}) if options.json else _lines(found))
    sys.exit(any(one.harmed for one in found.values()))


def storm(folder: Path, names: Sequence[str], kills: Mapping[ExecutorName, int], *, seed: int) -> dict[str, Outcome]:
    """Run a search under each of these disturbances, and through so many deaths of its driver with each executor."""
    home, chance, found = Home(folder / "home").ensure(), random.Random(seed), dict[str, Outcome]()
    prepare("digits", root=home.data)
    (folder / "server").mkdir()
    with mlflow_server(folder / "server") as server:
        _meddled(home, "calm", server, _nothing)
        outcome = partial(_outcome, home, calm=_rows(home, "calm", server.uri))
        for name in names:
            before, study = server.kills, name.replace(" ", "-")
            stood = _meddled(home, study, server, MEDDLES[name])
            found[name] = outcome(study, server.uri, kills=server.kills - before, stood=stood)
            _say(name, found[name])
        for executor, many in kills.items():
            uri = server.uri if executor == "inline" else f"sqlite:///{home.mlflow}"
            _killed(home, f"kills-{executor}", executor, uri, _moments(chance, many))
            found[f"driver killed, {executor}"] = outcome(f"kills-{executor}", uri, kills=many)
            _say(executor, found[f"driver killed, {executor}"])
    return found


def _meddled(home: Home, study: str, server: MlflowServer, meddle: Meddle) -> float:
    """Run a search to its end while somebody meddles; for how many seconds it was made to stand still."""
    driver = deaths.driver(home, study, TREE, "inline", **{VARIABLE: server.uri})
    progress = Progress(home, study, driver)
    try:
        meddle(server, progress)
        assert driver.wait(600) == 0, "a driver failed that nobody killed"
    finally:
        driver.kill()
        driver.wait()
    return progress.stood


def _nothing(server: MlflowServer, progress: Progress) -> None:
    """Leave it alone."""


def _kill_twice(server: MlflowServer, progress: Progress) -> None:
    """Kill the server when it has the first runs of the search and when it has more, and bring it back."""
    for runs in (2, 6):
        while _written(server, progress.study) < runs and not ends(progress.driver, LOOK_SECONDS):
            pass
        server.kill()
        progress.wait(5)
        with progress.paused():
            server.start()


def _written(server: MlflowServer, study: str) -> int:
    """How many runs of a study stand in the server's database."""
    with closing(sqlite3.connect(f"file:{server.file}?mode=ro", uri=True, timeout=60)) as database:
        query = "SELECT count(*) FROM tags WHERE key = 'isoflop.study' AND value = ?"
        return int(database.execute(query, (study,)).fetchone()[0])


def _hang(server: MlflowServer, progress: Progress) -> None:
    """Let the server take requests and answer none for a third of the search."""
    progress.wait(20)
    with server.stopped():
        progress.wait(40)


def _lock(server: MlflowServer, progress: Progress) -> None:
    """Keep the server's database locked for a third of the search."""
    progress.wait(20)
    with closing(sqlite3.connect(server.file, isolation_level=None, timeout=60)) as database:
        database.execute("BEGIN IMMEDIATE")
        progress.wait(40)
        database.execute("ROLLBACK")


MEDDLES: Mapping[str, Meddle] = {
    "undisturbed again": _nothing,
    "server killed twice": _kill_twice,
    "server hangs": _hang,
    "database locked": _lock,
}


def _killed(home: Home, study: str, executor: str, server: str, moments: Sequence[tuple[int, float]]) -> None:
    """Run a search to its end through a death of its driver at each of these moments."""
    for events, seconds in moments:
        driver = deaths.driver(home, study, TREE, executor, **{VARIABLE: server})
        try:
            Progress(home, study, driver).wait(events)
            assert not ends(driver, seconds), "the search ended before its driver was killed often enough"
        finally:
            driver.kill()
            driver.wait()
    driver = deaths.driver(home, study, TREE, executor, **{VARIABLE: server})
    assert driver.wait(600) == 0, "a driver failed that nobody killed"


def _moments(chance: random.Random, kills: int) -> list[tuple[int, float]]:
    """How many events after a driver's start it dies, and how many seconds after those: a quarter while it starts."""
    return [
        (0, chance.uniform(0.0, START_SECONDS))
        if chance.random() < EARLY
        else (chance.randint(1, EVENTS), chance.uniform(0.0, LAG_SECONDS))
        for _ in range(kills)
    ]


def _outcome(home: Home, study: str, uri: str, *, calm: Mapping[Any, Any], kills: int, stood: float = 0.0) -> Outcome:
    journal = SqliteJournal(home.journal)
    events = journal.read(study)
    with closing(MlflowTracker(uri, artifacts=home.mlflow_artifacts, home=home.path)) as tracker:
        late = sum(flaw.what is What.GAP for flaw in find(tracker, journal, study))
        if late:
            mend(tracker, journal, study, holder=holder())
        runs = tracker.seen(study, events[0])
        flaws = audit(project(events), runs)
    rows = _rows(home, study, uri)
    wrong = {flaw.place for flaw in flaws if flaw.what in {What.GAP, What.WRONG}} | _torn(home, study, uri)
    return Outcome(
        kills=kills,
        seconds=events[-1].time - events[0].time - stood,
        runs=len(runs),
        running=sum(run.status == "RUNNING" for run in runs),
        twice=sum(flaw.what is What.SURPLUS for flaw in flaws),
        wrong=len(wrong),
        differ=sum(rows.get(place) != calm.get(place) for place in {*rows, *calm}),
        late=late,
    )


def _rows(home: Home, study: str, uri: str) -> dict[Any, Any]:
    """What two searches of one spec share: all but times and what is measured."""
    opening = SqliteJournal(home.journal).read(study)[0]
    with closing(MlflowTracker(uri, artifacts=home.mlflow_artifacts)) as tracker:
        return {
            run.place: (
                run.status,
                {name: text for name, text in run.tags.items() if name not in OWN},
                dict(run.params),
                {
                    name: sorted((one.step, one.value) for one in tracker.client.get_metric_history(run.id, name))
                    for name in run.metrics
                    if not name.startswith("measured.") and name != SEQ
                },
            )
            for run in tracker.seen(study, opening)
        }


def _torn(home: Home, study: str, uri: str) -> set[Any]:
    """Runs whose metrics are not, value by value with step and time, those of the journal."""
    events = SqliteJournal(home.journal).read(study)
    projection = project(events)
    with closing(MlflowTracker(uri, artifacts=home.mlflow_artifacts)) as tracker:
        return {
            run.place
            for run in tracker.seen(study, events[0])
            if run.place is not None
            and {
                (name, one.step, one.value, one.timestamp)
                for name in {*run.metrics} - {SEQ}
                for one in tracker.client.get_metric_history(run.id, name)
            }
            != {(m.name, m.step, m.value, round(m.time * 1000)) for m in projection.runs[run.place].metrics}
        }


def _say(name: str, outcome: Outcome) -> None:
    print(f"{name}: {outcome}", file=sys.stderr, flush=True)


def _lines(found: Mapping[str, Outcome]) -> str:
    head = ("search", "kills", "seconds", "runs", "left running", "too many", "unlike journal", "unlike calm", "late")
    rows = [
        (name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in asdict(one).values()))
        for name, one in found.items()
    ]
    return table(head, rows)


if __name__ == "__main__":
    main()
