"""A store of records with as many runs as are asked for, filled in seconds and as our writer would fill it.

The studies' own runs are written by the writer itself; the rows of trials come from the same projection, put into the
tables that MLflow made. `unlike` holds a small store of that kind against one that the writer wrote alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np

from isoflop.evaluation.predictions import save_predictions
from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.records import Key, Record
from isoflop.tracking.hits import tags_of
from isoflop.tracking.mlflow_tracker import MlflowTracker
from isoflop.tracking.projection import INHERITED, SEQ, STUDY_RUN, Metric, Update, project

SEARCH, TOP, SEEDS, REPORTS = 1_000, 3, 3, 9
EVERY = 10
"""One search in so many has finalists."""
IMAGES = 10_000
BEGAN = 1_700_000_000.0
SPACE = UUID("00000000-0000-0000-0000-000000000000")
KNOBS = {
    "model.family": "resnet", "model.depth": 1.0, "model.width": 0.25, "model.resolution": 28, "model.stem": 1,
    "model.norm": "batch", "model.activation": "relu", "model.dropout": 0.1, "optim.name": "sgd", "optim.lr": 0.1,
    "optim.momentum": 0.9, "optim.weight_decay": 5e-4, "optim.nesterov": True, "schedule.name": "cosine",
    "schedule.warmup": 0.05, "augment.crop": 2, "augment.flip": True, "augment.mixup": 0.0, "train.batch": 128,
    "train.reports": REPORTS, "train.epochs": 9, "train.threads": 1, "data.name": "fashion_mnist",
}  # fmt: skip
PROVENANCE = {"code": "c0de", "git_commit": "abc", "git_dirty": False, "lock_hash": "l0", "hardware": "2 cores"}
DATA = {"name": "fashion_mnist", "digest": "d1" * 32, "path": "/data/fashion_mnist", "shape": [1, 28, 28]}


@dataclass
class Filler:
    """Fills a database of MLflow in a folder with studies, each with events of its own in one journal's order."""

    folder: Path
    database: Path
    seq: int = 0
    began: Mapping[str, Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.tracker = MlflowTracker(self.uri, artifacts=self.folder / "artifacts", home=self.folder)
        for number in range(8):
            _predictions(self.folder / f"{number}.npz", self.rng)

    @property
    def uri(self) -> str:
        """The store's address."""
        return f"sqlite:///{self.database}"

    def fill(self, runs: int) -> None:
        """Add searches of up to a thousand trials, and finalists of some, until there are so many trial runs."""
        searches = 0
        while runs > 0:
            trials = min(SEARCH, runs)
            self.search(f"s-{searches}", trials, finalists=searches % EVERY == 0)
            searches, runs = searches + 1, runs - trials

    def search(self, study: str, trials: int, *, finalists: bool) -> None:
        """A search that is over, and finalists of it."""
        self.bulk(study, self.events(study, trials))
        if finalists:
            self.bulk(f"{study}-finalists", self.retrained(study))

    def events(self, study: str, trials: int, *, closed: bool = True) -> list[Event]:
        """What happens in a search: one in four trials is COMPLETE, the others are stopped at the first rungs."""
        found = [self._event(Kind.STUDY, payload=_opening(study, "search", None))]
        for number in range(trials):
            reports = REPORTS if number % 4 == 0 else 1 + number % 2 * 2
            found += self._trial(Key(trial=number), reports, "tpe", splits=("val",))
        return [*found, self._closing()] if closed else found

    def retrained(self, study: str) -> list[Event]:
        """What happens with the finalists of a search."""
        found = [self._event(Kind.STUDY, payload=_opening(f"{study}-finalists", "finalists", study))]
        for number in range(TOP):
            for replicate in range(SEEDS):
                key = Key(trial=number, replicate=replicate)
                found += self._trial(key, REPORTS, f"{study}/{4 * number}", splits=("val", "test"))
                payload = {"data_digest": DATA["digest"], "metrics": {"test_accuracy": 0.9, "test_loss": 0.3}}
                found.append(self._event(Kind.OPENED, key, payload=payload))
        return [*found, self._closing()]

    def write(self, study: str, events: Sequence[Event]) -> None:
        """Write events as a driver does."""
        self.tracker.begin(study, events[0])
        self.tracker.sync(study, events)

    def bulk(self, study: str, events: Sequence[Event]) -> None:
        """Write the same: a search's own run by the writer and those of its trials as rows; finalists by the writer."""
        projection = project(events)
        if projection.several:
            self.write(study, events)
            return
        self.write(study, [event for event in events if event.trial < 0])
        with closing(sqlite3.connect(self.database)) as connection, connection:
            parent = Parent.of(connection, study)
            for key, update in projection.trials.items():
                for split, path in update.predictions.items():
                    update.tags |= _hits(self.folder / path, split)
                for table, rows in parent.rows(key, update).items():
                    marks = ", ".join("?" * len(rows[0]))
                    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _trial(self, key: Key, reports: int, source: str, splits: Sequence[str]) -> Iterator[Event]:
        config = KNOBS | {
            "optim.lr": float(self.rng.uniform(0.01, 0.2)),
            "model.width": float(self.rng.uniform(0.1, 1)),
        }
        params = {name: config[name] for name in ("model.family", "model.width", "optim.lr")}
        start = {"params": params, "config": config, "seed": 1, "fingerprint": f"f{self.seq}", "source": source}
        yield self._event(Kind.START, key, payload=start | {"parameters": 300_000, "flops": 3e6, "memory": 10**8})
        yield self._event(Kind.STATE, key, payload={"state": "RUNNING"})
        level = float(self.rng.uniform(0.7, 0.9))
        for report in range(1, reports + 1):
            yield self._event(Kind.RECORD, key, report, _record(report, level).to_dict())
        if reports == REPORTS:
            for split in splits:
                payload = {"path": f"{self.rng.integers(8)}.npz", "sha256": "0" * 64}
                yield self._event(Kind.ARTIFACT, key, ARTIFACTS.index(f"{split}_predictions"), payload)
        yield self._event(
            Kind.END, key, payload={"state": "COMPLETE" if reports == REPORTS else "PRUNED", "reason": ""}
        )

    def _closing(self) -> Event:
        return self._event(Kind.CLOSED, payload={"state": "COMPLETE", "reason": "budget"})

    def _event(self, kind: Kind, key: Key | None = None, index: int = 0, payload: Mapping[str, Any] = {}) -> Event:
        self.seq += 1
        place = {"trial": key.trial, "replicate": key.replicate} if key else {}
        return Event(kind=kind, index=index, payload=payload, time=BEGAN + self.seq, seq=self.seq, **place)


@dataclass(frozen=True, slots=True)
class Parent:
    """A study's run, under which rows of trials are put."""

    study: str
    run: str
    experiment: int
    artifacts: str
    user: str
    tags: Mapping[str, str]

    @classmethod
    def of(cls, connection: sqlite3.Connection, study: str) -> Parent:
        """The run that the writer made."""
        asked = "SELECT run_uuid, experiment_id, artifact_uri, user_id FROM runs WHERE name = ?"
        run, experiment, artifacts, user = connection.execute(asked, (study,)).fetchone()
        tags = dict(connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run,)).fetchall())
        return cls(study, run, experiment, artifacts, user, tags)

    def rows(self, key: Key, update: Update) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of a trial that has ended, by table."""
        name = f"{self.study}/{key}"
        run = uuid5(SPACE, name).hex
        place = self.artifacts.replace(self.run, run)
        began, ended = round(update.began * 1000), round((update.ended or 0.0) * 1000)
        about = (run, name, "UNKNOWN", "", "", self.user, "FINISHED", began, ended, "", "active", place)
        metrics = [*update.metrics, Metric(SEQ, update.seq, update.seq, update.time)]
        newest = {one.name: one for one in sorted(metrics, key=lambda one: one.step)}
        return {
            "runs": [(*about, self.experiment, None)],
            "tags": [(tag, text, run) for tag, text in self._tags(name, key, update).items()],
            "params": [(param, text, run) for param, text in update.params.items()],
            "metrics": [(m.name, m.value, round(m.time * 1000), run, m.step, 0) for m in metrics],
            "latest_metrics": [(m.name, m.value, round(m.time * 1000), m.step, 0, run) for m in newest.values()],
        }

    def _tags(self, name: str, key: Key, update: Update) -> dict[str, str]:
        own = {
            "isoflop.study": self.study,
            "isoflop.began": self.tags["isoflop.began"],
            "isoflop.role": "trial",
            "isoflop.trial": str(key.trial),
            "isoflop.replicate": str(key.replicate),
            "mlflow.runName": name,
            "mlflow.parentRunId": self.run,
            STUDY_RUN: self.run,
        }
        shared = (*INHERITED, "mlflow.source.name", "mlflow.source.type")
        return {tag: self.tags[tag] for tag in shared if tag in self.tags} | own | update.tags


def unlike(bulk: Path, written: Path) -> list[str]:
    """The tables in which two stores differ, run ids and folders aside."""
    first, second = _dump(bulk), _dump(written)
    return [table for table in first if first[table] != second[table]]


def _dump(database: Path) -> dict[str, list[str]]:
    """All rows about runs, with runs by name."""
    with closing(sqlite3.connect(database)) as connection:
        names = dict(connection.execute("SELECT run_uuid, name FROM runs").fetchall())
        tables = ("runs", "tags", "params", "metrics", "latest_metrics")
        return {table: sorted(_lines(connection, table, names)) for table in tables}


def _lines(connection: sqlite3.Connection, table: str, names: Mapping[str, str]) -> Iterable[str]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    columns = [column for column, *_ in cursor.description]
    for row in cursor:
        told = {name: names.get(value, value) for name, value in zip(columns, row, strict=True)}
        if "artifact_uri" in told:
            experiment, run, end = str(told["artifact_uri"]).rsplit("/", 3)[1:]
            told["artifact_uri"] = (experiment, names[run], end)
        yield repr(sorted(told.items()))


@cache
def _hits(path: Path, split: str) -> dict[str, str]:
    return tags_of(path, split)


def _predictions(path: Path, rng: np.random.Generator) -> None:
    labels = np.arange(IMAGES) % 2
    right = rng.random(IMAGES) < 0.9
    save_predictions(path, np.eye(2)[labels ^ ~right], labels, split="val", data_digest=str(DATA["digest"]))


def _record(report: int, level: float) -> Record:
    accuracy = level * (1 - 0.5**report)
    metrics = {"val_accuracy": accuracy, "val_loss": 1 - accuracy, "val_ece": 0.01, "train_loss": 1 - level / 2}
    measured = {"seconds": 1.5, "images_per_second": 900.0, "memory": 1e9}
    spent = {"step": 50 * report, "epoch": float(report), "images": 6400 * report, "flops": 1e9 * report}
    return Record(report=report, fidelity=float(report), metrics=metrics, measured=measured, **spent)  # type: ignore[arg-type]


def _opening(study: str, plan: str, parent: str | None) -> dict[str, Any]:
    spec = {"study": {"name": "fashion", "objectives": [{"metric": "val_accuracy"}]}, "space": {}}
    facts = {"name": "fashion", "plan": plan, "parent": parent, "data": DATA, "provenance": PROVENANCE}
    return {"spec": spec | {"study": spec["study"] | {"id": study}}, **facts}
