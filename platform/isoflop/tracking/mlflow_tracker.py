"""Writes a study's records to MLflow: the study as a parent run, its trials and their replicates as children.

Everything goes through `MlflowClient`, in one batch for each run and sync. Runs are found again by their tags, so a
restart goes on with the same ones; the parent's tag `isoflop.seq` says up to which event the records stand. With every
batch goes the metric `projection.SEQ`, by which reads find the runs that have changed; the parent's comes last.
Importing this module loads mlflow, which takes seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Before the import: nothing is sent home, nothing is printed for what is raised as well, and a dead server is given up
# after seconds, since the thread that writes tries again anyway.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of what SQLAlchemy deprecates
    from mlflow.entities import Dataset, DatasetInput, InputTag, LifecycleStage, Param, Run, RunTag, ViewType
    from mlflow.entities import Metric as MlflowMetric
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking import MlflowClient

from safetensors import SafetensorError, safe_open
from sqlalchemy.exc import SQLAlchemyError

from isoflop.crashpoints import crash
from isoflop.errors import StateError
from isoflop.journal.event import Event
from isoflop.records import Key, State
from isoflop.tracking.hits import tags_of
from isoflop.tracking.projection import INHERITED, SEQ, Metric, Update, project
from isoflop.tracking.protocol import Tracker
from isoflop.tracking.redaction import hide_userinfo

STATUS = {
    State.RUNNING: "RUNNING",
    State.WAITING: "SCHEDULED",
    State.INTERRUPTED: "SCHEDULED",  # it goes on at the next resume
    State.FAILED: "FAILED",
    State.KILLED: "KILLED",
}
"""MLflow's word for a state. All others are FINISHED: stopped at a rung, over a constraint or answered from the journal
are results, and `isoflop.state` says which; FAILED is kept for what somebody should look at."""


@dataclass(slots=True)
class Handle:
    """A run as far as this writer knows it."""

    id: str
    experiment: str
    status: str
    tags: dict[str, str]
    numbered: bool = True
    """Whether it has a number already; the records of an older writer have none, and are written again."""

    @property
    def cursor(self) -> int:
        """Of a study's run, the event up to which its records stand."""
        return int(self.tags.get("isoflop.seq", 0)) if self.numbered else 0


class MlflowTracker:
    """Writes to a tracking server or database. Raises `StateError` where it cannot be reached.

    `artifacts` is the folder of runs' files, beside the database where it is none; a server decides for itself.
    Weights are looked for at the paths that events name, relative ones in `home`.
    """

    def __init__(self, uri: str, *, artifacts: Path | None = None, home: Path | None = None) -> None:
        self.uri = uri
        database = Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None
        self.artifacts = artifacts or (database.parent / "mlflow-artifacts" if database else None)
        self.home = home or Path()
        self._studies: dict[str, Handle] = {}
        self._runs: dict[tuple[str, Key], Handle] = {}
        self._store: SqlAlchemyStore | None = None
        with _explained(uri), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if database is not None and self.artifacts is not None:
                create_database(database, self.artifacts)
                self._store = SqlAlchemyStore(uri, self.artifacts.absolute().as_uri())
            self.client = MlflowClient(uri)

    def begin(self, study: str, opening: Event) -> int:
        """Find or make the parent run of a study."""
        with _explained(self.uri):
            self._runs = {place: run for place, run in self._runs.items() if place[0] != study}
            experiment = self._experiment(str(opening.payload.get("name", study)))
            # Two machines may both have a study `digits-1`; the time of the first event tells them apart.
            names = {"isoflop.study": study, "isoflop.began": repr(opening.time), "isoflop.role": "study"}
            handle = self._find(experiment, names) or self._create(
                experiment, study, opening.time, names | project([opening]).study.tags
            )
            self._studies[study] = handle
            return handle.cursor

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Write what is new, the children first and the parent's cursor last, so that a torn sync is done again."""
        with _explained(self.uri):
            parent = self._present(study)
            fresh = [event for event in events if event.seq > parent.cursor]
            if not fresh:
                return
            projection = project(fresh)
            parent.tags |= projection.study.tags
            for key, update in projection.trials.items():
                self._write(self._child(study, key, update, parent), update)
            self._describe(parent, projection.study)
            projection.study.tag("seq", projection.study.seq)
            projection.study.tag("updated", repr(projection.study.time))
            self._write(parent, projection.study)

    def end(self, runs: Mapping[str, float]) -> None:
        """End runs, by their ids, at Unix seconds: a driver that was killed left them as if they ran."""
        with _explained(self.uri):
            for run, ended in runs.items():
                self.client.set_terminated(run, "KILLED", _ms(ended))

    def close(self) -> None:
        """Close the database's connections, so that a database made anew at the same place is opened anew."""
        if self._store is not None:
            self._store.engine.dispose()

    def _experiment(self, name: str) -> str:
        """Id of the experiment of a name, made where there is none and brought back where it was deleted."""
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == LifecycleStage.DELETED:
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        place = (self.artifacts / name).absolute().as_uri() if self.artifacts else None
        try:
            return str(self.client.create_experiment(name, artifact_location=place))
        except MlflowException:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)  # another driver was faster

    def _find(self, experiment: str, tags: dict[str, str]) -> Handle | None:
        """The run with these tags."""
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        found = self.client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, 1, ["attributes.start_time ASC"])
        return _handle(found[0]) if found else None

    def _create(self, experiment: str, name: str, began: float, tags: dict[str, str]) -> Handle:
        source = {"mlflow.source.name": "isoflop", "mlflow.source.type": "LOCAL"}
        run = self.client.create_run(experiment, start_time=_ms(began), tags=tags | source, run_name=name)
        crash("tracker.after_create")
        return _handle(run)

    def _present(self, study: str) -> Handle:
        """The parent as it stands now; another writer may have gone on with it, or a person may have deleted it."""
        run = self.client.get_run(self._studies[study].id)
        if run.info.lifecycle_stage == LifecycleStage.DELETED:
            raise StateError(f"{study}: its run in MLflow was deleted; it is written anew")
        self._studies[study] = _handle(run)
        return self._studies[study]

    def _child(self, study: str, key: Key, update: Update, parent: Handle) -> Handle:
        """The run of a trial's replicate, looked up by its tags once."""
        if (study, key) not in self._runs:
            names = {
                "isoflop.study": study,
                "isoflop.began": parent.tags["isoflop.began"],
                "isoflop.role": "trial",
                "isoflop.trial": str(key.trial),
                "isoflop.replicate": str(key.replicate),
            }
            found = self._find(parent.experiment, names)
            if found is None:
                inherited = {name: parent.tags[name] for name in INHERITED if name in parent.tags}
                found = self._create(parent.experiment, f"{study}/{key}", update.began, inherited | names)
            update.tags["mlflow.parentRunId"] = parent.id  # of one found too: its parent may have been deleted
            self._runs[study, key] = found
        return self._runs[study, key]

    def _write(self, run: Handle, update: Update) -> None:
        """One batch, then files and state where they changed."""
        number = Metric(SEQ, update.seq, update.seq, update.time)
        metrics = [MlflowMetric(m.name, m.value, _ms(m.time), m.step) for m in (*update.metrics, number)]
        for split, path in update.predictions.items():
            update.tags |= tags_of(self.home / path, split)
        params = [Param(name, text) for name, text in update.params.items()]
        self.client.log_batch(run.id, metrics, params, [RunTag(name, text) for name, text in update.tags.items()])
        if update.weights:
            self._log_weights(run, self.home / update.weights)
        for report in update.reports:
            self._log_report(run, self.home / report)
        status = STATUS.get(update.state, "FINISHED") if update.state else run.status
        if update.ended is not None:
            crash("tracker.before_end")
            self.client.set_terminated(run.id, status, _ms(update.ended))
        elif status != run.status:
            self.client.update_run(run.id, status)
        run.status = status

    def _log_weights(self, run: Handle, path: Path) -> None:
        """Weights, and their header as `config.json`. What `isoflop gc` took away stays away."""
        if not path.is_file():
            return
        self.client.log_artifact(run.id, str(path))
        if header := read_header(path):
            self.client.log_dict(run.id, header, "config.json")

    def _log_report(self, run: Handle, path: Path) -> None:
        """What the answers say of each class, as the JSON file that it is. What was taken away stays away."""
        if path.is_file():
            self.client.log_artifact(run.id, str(path))

    def _describe(self, parent: Handle, update: Update) -> None:
        """The spec as a file and the data set as MLflow's own kind of input."""
        if update.spec is not None:
            self.client.log_dict(parent.id, dict(update.spec), "spec.json")
        if update.data is not None:
            source = json.dumps({"uri": str(update.data.get("path", ""))})
            data = Dataset(str(update.data["name"]), str(update.data["digest"])[:36], "local", source)
            tags = [InputTag("mlflow.data.context", "training")]
            self.client.log_inputs(parent.id, [DatasetInput(data, tags)])


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
        SqlAlchemyStore(f"sqlite:///{beside}", artifacts.absolute().as_uri()).engine.dispose()
        connection = sqlite3.connect(beside)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()  # the last one to close leaves one whole file
        beside.replace(path)


def read_header(path: Path) -> dict[str, object]:
    """What stands in the header of a safetensors file, JSON texts decoded; empty where it says nothing."""
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, str] = file.metadata() or {}
    except SafetensorError:
        return {}
    return {name: _decoded(text) for name, text in header.items()}


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _handle(run: Run) -> Handle:
    numbered = SEQ in run.data.metrics
    return Handle(run.info.run_id, run.info.experiment_id, run.info.status, dict(run.data.tags), numbered)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Turn the ways in which MLflow fails into one line."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error) as error:
        what = str(error).strip().splitlines() or [type(error).__name__]
        remedy = f"; back the file up, then run: mlflow db upgrade {uri}" if "out-of-date" in what[0] else ""
        raise StateError(hide_userinfo(f"MLflow at {uri}: {what[0][:300]}{remedy}")) from error


_: type[Tracker] = MlflowTracker
