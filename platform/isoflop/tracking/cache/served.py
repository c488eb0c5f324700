"""Reads that the cache serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from isoflop.errors import Fault, UnknownError, did_you_mean
from isoflop.optimism import Optimism
from isoflop.records import Result, State, Trial
from isoflop.tracking import rows
from isoflop.tracking.cache.cache import Cache
from isoflop.tracking.cache.manifest import Manifest, Summary, TornError
from isoflop.tracking.cache.restored import facts_of, trial_of, verdict_of
from isoflop.tracking.cache.results import from_json
from isoflop.tracking.cache.run import Run
from isoflop.tracking.cache.source import Source
from isoflop.tracking.cache.summary import Summarizer
from isoflop.tracking.reads import Reads

Answer = TypeVar("Answer")


class Served:
    """All studies of a source, as they stood when they were made or at the newest `version`.

    Raises `StateError` where the source cannot be read. What is asked for is answered from the cache alone, but for
    the curves of trials, which come with the first `trials` of a study.
    """

    def __init__(self, source: Source, root: Path) -> None:
        self.source = source
        self.cache = Cache.of(source, root)
        self._manifest = self.cache.sync()

    def version(self) -> tuple[tuple[str, int], ...]:
        """Every study with the number of its newest event, after a sync."""
        self._manifest = self.cache.sync()
        return tuple((study.id, study.cursor) for study in self._manifest.studies.values())

    def notices(self) -> Sequence[str]:
        """What the source holds and the cache does not, and why, in lines."""
        return self.source.notices()

    def studies(self) -> list[dict[str, Any]]:
        """Every study, oldest first."""
        return [dict(study.row) | {"state": self._state(study)} for study in self._manifest.studies.values()]

    def trials(self, study: str) -> list[dict[str, Any]]:
        """A study's trials by number and replicate. Raises `UnknownError` for an unknown study."""
        return self._asked(study, self._trials)

    def latest(self, study: str) -> list[dict[str, Any]]:
        """The same with the newest record of each trial alone. Raises `UnknownError` for an unknown study."""
        return self._asked(study, self._latest)

    def results(self, study: str | None = None) -> list[Result]:
        """What the finalists earned. Raises `UnknownError` for an unknown study."""
        if study is not None:
            self._known(study)
        chosen = [one for one in self._manifest.studies.values() if study in {None, one.id, one.row["parent"]}]
        return [from_json(told) for one in chosen for told in one.results]

    def counts(self, study: str) -> dict[str, int]:
        """How many trials of a study are in each state; empty for an unknown study."""
        found = self._manifest.find(study)
        return dict(found.row["counts"]) if found else {}

    def luck(self, study: str) -> Optimism | None:
        """How much of a search's best score is luck."""
        found = self._manifest.find(study)
        if found is None:
            return None
        if found.luck is not None:
            return Optimism(**{name: value for name, value in found.luck.items() if name != "luck"})
        return self._asked(study, self._luck)

    def openings(self) -> dict[str, int]:
        """For how many trainings the test set was opened, by data digest."""
        return dict(sum((Counter(study.opened) for study in self._manifest.studies.values()), Counter[str]()))

    def close(self) -> None:
        """Let go of the source."""
        self.source.close()

    def _asked(self, study: str, ask: Callable[[Summary], Answer]) -> Answer:
        """What the segments say of a study.

        Where they cannot be read another process may have put others in their place; if not, they are made anew.
        """
        for mend in (self.cache.sync, self.cache.anew):
            try:
                return ask(self._known(study))
            except TornError:
                self._manifest = mend()
        return ask(self._known(study))

    def _luck(self, study: Summary) -> Optimism | None:
        with self.cache.tables() as tables:
            return Summarizer(tables, self._manifest).luck(study)

    def _trials(self, study: Summary) -> list[dict[str, Any]]:
        manifest, curves = self.cache.with_curves(study.run)
        facts, runs = self._runs(manifest, manifest.studies[study.run])
        objectives, equal = facts.objectives, facts.equal
        return [
            rows.trial_row(trial_of(one, curves.get(one.id, {})), objectives, equal, verdict_of(one)) for one in runs
        ]

    def _latest(self, study: Summary) -> list[dict[str, Any]]:
        facts, runs = self._runs(self._manifest, study)
        objectives, equal = facts.objectives, facts.equal
        return [
            rows.trial_row(trial, objectives, equal, verdict_of(one)) | _rung(trial)
            for one in runs
            if (trial := trial_of(one))
        ]

    def _runs(self, manifest: Manifest, study: Summary) -> tuple[rows.Facts, list[Run]]:
        with self.cache.tables() as tables:
            own = tables.known(manifest, study, [study.run])[study.run]
            return facts_of(own), tables.runs(manifest, study)

    def _state(self, study: Summary) -> str:
        """The state, where it is open as the source knows it now."""
        told = str(study.row["state"])
        return told if told != State.RUNNING or self.source.running(study.id) else str(State.INTERRUPTED)

    def _known(self, study: str) -> Summary:
        found = self._manifest.find(study)
        if found is None:
            ids = [one.id for one in self._manifest.studies.values()]
            remedy = did_you_mean(study, ids) if ids else f"no study stands in {self.source.name}"
            raise UnknownError(Fault("study", f"unknown study {study!r}", remedy))
        return found


def _rung(trial: Trial) -> dict[str, int | None]:
    """At which report a PRUNED trial was stopped, by its last record."""
    return {"rung": trial.last.report if trial.last and trial.state is State.PRUNED else None}


_: type[Reads] = Served
