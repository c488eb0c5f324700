"""The journal as a source: what its events add to runs, projected as they are for MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from isoflop.journal.event import Event, Kind
from isoflop.journal.protocol import Journal
from isoflop.records import Key
from isoflop.tracking.cache.run import Curve, Newest, Run
from isoflop.tracking.cache.source import Source
from isoflop.tracking.hits import tags_of
from isoflop.tracking.projection import INHERITED, Metric, Update, project


class JournalSource:
    """The studies of a state folder. A study's run is named by its id, for a journal has each id once."""

    def __init__(self, journal: Journal, home: Path, *, name: str = "journal", mark: str = "") -> None:
        self.journal, self.home = journal, home
        self._name, self._mark = name, mark

    @property
    def name(self) -> str:
        """What the caller calls it."""
        return self._name

    @property
    def mark(self) -> str:
        """What the caller says that tells this journal from another in its place."""
        return self._mark

    def heads(self, cursors: Mapping[str, int]) -> Mapping[str, int]:
        """Every study with the place of its newest event."""
        del cursors
        return {study: self.journal.head(study) for study in self.journal.studies()}

    def changes(self, cursors: Mapping[str, int]) -> Iterator[Run]:
        """What the events above the cursors add."""
        for study in cursors:
            yield from self._changes(study, self.journal.read(study, cursors[study]), first=not cursors[study])

    def curves(self, study: str, runs: Sequence[Run]) -> Mapping[str, Curve]:
        """All values that a study's trainings reported."""
        wanted = {run.id for run in runs}
        events = [
            one
            for one in self.journal.read(study)
            if one.kind is Kind.RECORD and _id(study, Key(trial=one.trial, replicate=one.replicate)) in wanted
        ]
        return {_id(study, key): _curve(update.metrics) for key, update in project(events).trials.items()}

    def running(self, study: str) -> bool:
        """Whether a driver holds its lease."""
        return self.journal.running(study) is not None

    def notices(self) -> Sequence[str]:
        """Nothing is left out."""
        return ()

    def close(self) -> None:
        """The journal is its owner's."""

    def _changes(self, study: str, events: Sequence[Event], *, first: bool) -> Iterator[Run]:
        projection = project(events)
        parent = self._run(study, study, projection.study)
        names = {"isoflop.study": study, "isoflop.updated": repr(projection.study.time)}
        began = {"isoflop.began": repr(events[0].time)} if first else {}
        yield Run(
            id=study,
            parent=study,
            seq=parent.seq,
            tags={**parent.tags, **names, **began, "isoflop.seq": str(parent.seq)},
            params={},
            metrics=parent.metrics,
        )
        for key, update in projection.trials.items():
            update.tags |= {"isoflop.trial": str(key.trial), "isoflop.replicate": str(key.replicate)}
            yield self._run(_id(study, key), study, update)

    def _run(self, run: str, parent: str, update: Update) -> Run:
        for split, path in update.predictions.items():
            update.tags |= tags_of(self.home / path, split)
        tags = {name: text for name, text in update.tags.items() if name not in INHERITED}
        return Run(
            id=run, parent=parent, seq=update.seq, tags=tags, params=update.params, metrics=_newest(update.metrics)
        )


def _id(study: str, key: Key) -> str:
    return f"{study}/{key}"


def _newest(metrics: Sequence[Metric]) -> Newest:
    return {one.name: (one.value, one.step) for one in sorted(metrics, key=lambda one: one.step)}


def _curve(metrics: Sequence[Metric]) -> Curve:
    points: dict[str, dict[int, float]] = {}
    for one in metrics:
        if one.step:
            points.setdefault(one.name, {})[one.step] = one.value
    return {name: sorted(many.items()) for name, many in points.items()}


_: Callable[..., Source] = JournalSource
