"""Writes a study's records to MLflow: the study as a parent run, its trials below it, their replicates below them.

A trial with one replicate is one run; one with several has a run of its own above theirs. Everything goes through
`MlflowClient`, in one batch for each run and sync. Runs are found again by their tags, so a restart goes on with the
same ones; the parent's tag `isoflop.seq` says up to which event the records stand. With every batch goes the metric
`projection.SEQ`, by which reads find the runs that have changed, and this writer those that are not whole.
Importing this module loads mlflow, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from isoflop.crashpoints import crash
from isoflop.errors import StateError
from isoflop.journal.event import Event
from isoflop.records import Key
from isoflop.tracking.audit import Seen, Where, keep
from isoflop.tracking.hits import tags_of
from isoflop.tracking.mlflow_connection import Connection, explained  # before the rest of mlflow
from isoflop.tracking.mlflow_files import log_files
from isoflop.tracking.projection import SEQ, STUDY_RUN, Metric, Place, Projection, Projector, Update, project, status_of
from isoflop.tracking.protocol import Mendable

from mlflow.entities import LifecycleStage, Param, Run, RunTag, ViewType  # isort: skip
from mlflow.entities import Metric as MlflowMetric  # isort: skip
from mlflow.exceptions import MlflowException  # isort: skip

PAGE = 1000
"""Runs that one search brings."""
ALL = "all"
"""In place of a replicate's number, on the run of a trial that has several."""
SOURCE = {"mlflow.source.name": "isoflop", "mlflow.source.type": "LOCAL"}


@dataclass(slots=True)
class Handle:
    """A run as far as this writer knows it."""

    id: str
    experiment: str
    name: str
    status: str
    tags: dict[str, str]
    seq: int
    """Up to which event it stands; 0 where an older writer did not number it."""


@dataclass(slots=True)
class Begun:
    """A study that is being written."""

    parent: Handle
    projector: Projector = field(default_factory=Projector)
    runs: dict[Place, Handle] = field(default_factory=dict)


class MlflowTracker:
    """Writes to a tracking server or database. Raises `StateError` where it cannot be reached.

    `artifacts` is the folder of runs' files, beside the database where it is none; a server decides for itself.
    Weights are looked for at the paths that events name, relative ones in `home`.
    """

    def __init__(self, uri: str, *, artifacts: Path | None = None, home: Path | None = None) -> None:
        self.uri, self.home = uri, home or Path()
        self._connection = Connection(uri, artifacts)
        self.artifacts, self.client = self._connection.artifacts, self._connection.client
        self._studies: dict[str, Begun] = {}

    def begin(self, study: str, opening: Event) -> int:
        """Find or make the parent run of a study; of runs that were made twice, remove all but one."""
        with explained(self.uri):
            experiment = self._experiment(_experiment_of(study, opening))
            standing = self._standing(experiment, study, opening)
            runs = {place: _handle(self._only(many), experiment) for place, many in standing.items()}
            parent = runs.pop(None, None)
            if parent is None:
                tags = _names(study, None, repr(opening.time)) | project([opening]).study.tags
                parent = self._create(experiment, study, opening.time, tags)
            self._studies[study] = Begun(parent, runs={place: run for place, run in runs.items() if place is not None})
            return _cursor(parent)

    def sync(self, study: str, events: Sequence[Event]) -> None:
        """Write what is new, the children first and the parent's cursor last, so that a torn sync is done again."""
        with explained(self.uri), self._forgotten(study):
            begun = self._present(study)
            parent, cursor = begun.parent, _cursor(begun.parent)
            begun.projector.project([event for event in events if event.seq <= cursor])
            fresh = [event for event in events if event.seq > cursor]
            if not fresh:
                return
            projection = begun.projector.project(fresh)
            for place, update in projection.runs.items():
                self._write(self._run(study, place, projection, begun), update)
            projection.study.tag("seq", projection.study.seq)
            projection.study.tag("updated", repr(projection.study.time))
            self._write(parent, projection.study)

    def seen(self, study: str, opening: Event) -> Sequence[Seen]:
        """The active runs that stand of a study."""
        with explained(self.uri):
            found = self.client.get_experiment_by_name(_experiment_of(study, opening))
            if found is None or found.lifecycle_stage == LifecycleStage.DELETED:
                return []
            standing = self._standing(found.experiment_id, study, opening)
            return [run for many in standing.values() for run in many]

    def rewind(self, study: str) -> None:
        """Forget up to where the study stands."""
        with explained(self.uri):
            self.client.set_tag(self._studies.pop(study).parent.id, "isoflop.seq", "0")

    def remove(self, runs: Iterable[str]) -> None:
        """Delete runs as a person does in MLflow's pages: they can be brought back until `mlflow gc`."""
        with explained(self.uri):
            for run in runs:
                self.client.delete_run(run)

    def end(self, runs: Mapping[str, float]) -> None:
        """End runs, by their ids, at Unix seconds."""
        with explained(self.uri):
            for run, ended in runs.items():
                self.client.set_terminated(run, "KILLED", _ms(ended))

    def close(self) -> None:
        """Close the database's connections."""
        self._connection.close()

    @contextmanager
    def _forgotten(self, study: str) -> Iterator[None]:
        """Have a study begun anew after an error: what it was thought to have may be another now."""
        try:
            yield
        except BaseException:
            self._studies.pop(study, None)
            raise

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

    def _standing(self, experiment: str, study: str, opening: Event) -> dict[Where, list[Seen]]:
        """All active runs of a study by what they are of."""
        names = {"isoflop.study": study, "isoflop.began": repr(opening.time)}
        found: dict[Where, list[Seen]] = {}
        for run in self._search(experiment, names):
            seen = _seen(run)
            found.setdefault(seen.place, []).append(seen)
        return found

    def _search(self, experiment: str, tags: Mapping[str, str]) -> Iterator[Run]:
        """The active runs with these tags."""
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        token = None
        while True:
            page = self.client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, PAGE, page_token=token)
            yield from page
            if not (token := page.token):
                return

    def _only(self, runs: Sequence[Seen]) -> Seen:
        """The one of several runs of one training that stays; the others are removed."""
        stays = keep(runs)
        self.remove(run.id for run in runs if run is not stays)
        return stays

    def _create(self, experiment: str, name: str, began: float, tags: dict[str, str]) -> Handle:
        run = self.client.create_run(experiment, start_time=_ms(began), tags=tags | SOURCE, run_name=name)
        crash("tracker.after_create")
        return _handle(_seen(run), experiment)

    def _present(self, study: str) -> Begun:
        """The parent as it stands now; another writer may have gone on with it, or a person may have deleted it."""
        if study not in self._studies:
            raise StateError(f"{study}: its records are begun anew after an error")
        begun = self._studies[study]
        run = self.client.get_run(begun.parent.id)
        if run.info.lifecycle_stage == LifecycleStage.DELETED:
            raise StateError(f"{study}: its run in MLflow was deleted; it is written anew")
        begun.parent = _handle(_seen(run), begun.parent.experiment)
        return begun

    def _run(self, study: str, place: Place, projection: Projection, begun: Begun) -> Handle:
        """The run of a training, or of a trial with several replicates, below the one where it belongs."""
        outer = projection.above(place)
        run = begun.runs[place] = self._whole(study, place, name := _name(study, place, outer), projection, begun)
        if run.name != name:
            self.client.update_run(run.id, name=name)
            run.name = name
        if (update := projection.runs.get(place)) is not None:
            above = begun.parent if outer is None else self._run(study, outer, projection, begun)
            update.tags["isoflop.role"] = "trial" if outer is None else "replicate"
            update.tags["mlflow.parentRunId"] = above.id  # of one found too: its parent may have been deleted
            if isinstance(place, Key):
                update.tags[STUDY_RUN] = begun.parent.id
        return run

    def _whole(self, study: str, place: Place, name: str, projection: Projection, begun: Begun) -> Handle:
        """A run that all earlier events stand in: a known one, one that another writer made, or a new one."""
        experiment, before = begun.parent.experiment, projection.before.get(place, 1)
        run = begun.runs.get(place)
        if run is None or run.seq < before:
            names = _names(study, place, begun.parent.tags["isoflop.began"])
            if found := [_seen(one) for one in self._search(experiment, names)]:
                run = _handle(self._only(found), experiment)
            elif not before:
                run = self._create(experiment, name, projection.runs[place].began, names)
        if run is None or run.seq < before:  # a person meddled with it
            self.client.set_tag(begun.parent.id, "isoflop.seq", "0")
            raise StateError(f"{name}: its run in MLflow is not whole; study {study} is written anew")
        return run

    def _write(self, run: Handle, update: Update) -> None:
        """One batch, then files and state where they changed."""
        number = [Metric(SEQ, update.seq, update.seq, update.time)] if update.seq else []
        metrics = [MlflowMetric(m.name, m.value, _ms(m.time), m.step) for m in (*update.metrics, *number)]
        for split, path in update.predictions.items():
            update.tags |= tags_of(self.home / path, split)
        params = [Param(name, text) for name, text in update.params.items()]
        fresh = {name: text for name, text in update.tags.items() if run.tags.get(name) != text}
        log_files(self.client, run.id, update, self.home)
        self.client.log_batch(run.id, metrics, params, [RunTag(name, text) for name, text in fresh.items()])
        run.tags |= fresh
        run.seq = max(run.seq, update.seq)
        status = status_of(update.state) if update.state else run.status
        if update.ended is not None:
            crash("tracker.before_end")
            self.client.set_terminated(run.id, status, _ms(update.ended))
        elif status != run.status:
            self.client.update_run(run.id, status)
        run.status = status


def _experiment_of(study: str, opening: Event) -> str:
    return str(opening.payload.get("name", study))


def _name(study: str, place: Place, outer: int | None) -> str:
    """`STUDY/7`, and below the run of a trial with several replicates `STUDY/7.0`, `STUDY/7.1`, ..."""
    return f"{study}/{place}" if outer is None or not isinstance(place, Key) else f"{study}/{outer}.{place.replicate}"


def _names(study: str, place: Where, began: str) -> dict[str, str]:
    """The tags by which a run is known.

    Two machines may both have a study `digits-1`; the time of the first event tells them apart.
    """
    names = {"isoflop.study": study, "isoflop.began": began}
    if place is None:
        return names | {"isoflop.role": "study"}
    if isinstance(place, Key):
        return names | {"isoflop.trial": str(place.trial), "isoflop.replicate": str(place.replicate)}
    return names | {"isoflop.trial": str(place), "isoflop.replicate": ALL}


def _seen(run: Run) -> Seen:
    tags = dict(run.data.tags)
    trial, replicate = tags.get("isoflop.trial"), tags.get("isoflop.replicate", "0")
    place: Where = None
    if trial is not None:
        place = int(trial) if replicate == ALL else Key(trial=int(trial), replicate=int(replicate))
    return Seen(
        id=run.info.run_id,
        name=run.info.run_name,
        place=place,
        status=run.info.status,
        above=tags.get("mlflow.parentRunId", ""),
        tags=tags,
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )


def _handle(run: Seen, experiment: str) -> Handle:
    return Handle(run.id, experiment, run.name, run.status, dict(run.tags), run.seq)


def _cursor(study: Handle) -> int:
    """The event up to which a study's records stand: 0 where they are not numbered, so that they are written again."""
    return int(study.tags.get("isoflop.seq", 0)) if study.seq else 0


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


_: type[Mendable] = MlflowTracker
