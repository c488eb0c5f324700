"""What the journal and the state folder know, read for board, command line and dashboard; nothing is ever written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from isoflop.errors import Fault, StateError, UnknownError, did_you_mean
from isoflop.evaluation.predictions import Predictions, load_predictions
from isoflop.journal.history import History
from isoflop.journal.protocol import Journal
from isoflop.optimism import Optimism
from isoflop.records import Key, Result, Trial
from isoflop.tasks import VAL
from isoflop.tracking import rows
from isoflop.tracking.reads import Reads
from isoflop.tracking.rows import FINALISTS, Facts, Seed, plain


class Store:
    """Reads of all studies. A study's events are folded once; later reads take in only what is new."""

    def __init__(self, journal: Journal, home: Path) -> None:
        self.journal, self.home = journal, home
        self._histories: dict[str, History] = {}
        self._luck: dict[str, tuple[tuple[int, int], Optimism | None]] = {}
        self._lock = Lock()

    def history(self, study: str) -> History:
        """A study's history as of now, empty for an unknown study. It is a copy: later events do not change it."""
        with self._lock:
            history = self._histories.setdefault(study, History())
            for event in self.journal.read(study, after=history.seq):
                history.apply(event)
            return history.copy()

    def version(self) -> tuple[tuple[str, int], ...]:
        """Every study with the place of its newest event: equal versions mean that nothing happened."""
        return tuple((study, self.history(study).seq) for study in self.journal.studies())

    def studies(self) -> list[dict[str, Any]]:
        """Every study, oldest first."""
        return [
            _study_row(study, self.history(study), running=self.journal.running(study) is not None)
            for study in self.journal.studies()
        ]

    def trials(self, study: str) -> list[dict[str, Any]]:
        """A study's trials by number and replicate. Raises `UnknownError` for an unknown study."""
        history = self._known(study)
        facts = facts_of(study, history)
        objectives, equal = facts.objectives, facts.equal
        return [
            rows.trial_row(trial, objectives, equal, _newest_verdict(history, trial))
            for trial in rows.ordered(history.trials.values())
        ]

    def latest(self, study: str) -> list[dict[str, Any]]:
        """The same with the newest record of each trial alone. Raises `UnknownError` for an unknown study."""
        return [row | {"records": row["records"][-1:]} for row in self.trials(study)]

    def results(self, study: str | None = None) -> list[Result]:
        """What the finalists earned. Raises `UnknownError` for an unknown study."""
        ids = self.journal.studies()
        if study is not None:
            self._known(study)
        chosen = [one for one in ids if study in {None, one, self.history(one).study.get("parent")}]
        return [self._whole(result) for one in chosen for result in _results(one, self.history(one))]

    def counts(self, study: str) -> dict[str, int]:
        """How many trials of a study are in each state; empty for an unknown study."""
        return _counts(self.history(study))

    def luck(self, study: str) -> Optimism | None:
        """How much of a search's best score is luck. Read once for each state of both studies."""
        history, finalists = self.history(study), f"{study}-{FINALISTS}"
        version = history.seq, self.history(finalists).seq
        if study not in self._luck or self._luck[study][0] != version:
            self._luck[study] = version, self._luck_now(study, history, finalists)
        return self._luck[study][1]

    def _luck_now(self, study: str, history: History, finalists: str) -> Optimism | None:
        if not facts_of(study, history).picks_hits:
            return None
        picked = [one.hits for one in _val_predictions(self.home, history, _complete(history))]
        retrained: dict[int, list[npt.NDArray[np.bool_]]] = {}
        later = self.history(finalists)
        for trial in _complete(later):
            found = [one.hits for one in _val_predictions(self.home, later, [trial])]
            retrained.setdefault(trial.number, []).extend(found)
        return rows.luck(picked, retrained.values())

    def openings(self) -> dict[str, int]:
        """For how many trainings the test set was opened, by data digest."""
        opened = [facts for one in self.journal.studies() for facts in self.history(one).opened.values()]
        return dict(Counter(str(facts["data_digest"]) for facts in opened))

    def predictions(self, run: str, split: str) -> list[Predictions]:
        """Stored predictions of a finalist, `STUDY/NUMBER`, one a seed in the order of its result.

        Empty where a seed left none. Raises `UnknownError` for an unknown run, `StateError` for a torn file.
        """
        study, number = _split_run(run)
        history = self._known(study)
        keys = [trial.key for trial in _complete(history) if trial.number == number]
        if not keys:
            known = sorted({f"{study}/{trial.number}" for trial in _complete(history)})
            raise UnknownError(Fault("run", f"unknown run {run!r}", did_you_mean(run, known)))
        paths = [history.artifacts.get((key, f"{split}_predictions")) for key in keys]
        if any(path is None for path in paths):
            return []
        return [load_predictions(self.home / path["path"]) for path in paths if path is not None]

    def report(self, run: str, split: str) -> dict[str, Any]:
        """What a training's answers on a split say class by class: `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`.

        Without a replicate, the first that left a report. Raises `UnknownError` for an unknown run or one that left
        none, `StateError` for a torn file.
        """
        place, slash, name = run.rpartition("/")
        plain_number, _, replicate = name.partition(".")
        study, number = _split_run(f"{place}{slash}{plain_number}")
        history = self._known(study)
        left = sorted(key for key, kind in history.artifacts if kind == f"{split}_report" and key.trial == number)
        keys = [key for key in left if replicate in {"", str(key.replicate)}]
        if not keys:
            what = f"{run} left no report on {split}"
            remedy = "finalists have one on both splits, COMPLETE trials of a search on val; see: isoflop trials STUDY"
            raise UnknownError(Fault("run", what, remedy))
        path = self.home / history.artifacts[keys[0], f"{split}_report"]["path"]
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StateError(f"{path}: the report cannot be read ({error}); train it again") from None
        return {"run": f"{study}/{keys[0]}", **found}

    def _whole(self, result: Result) -> Result:
        """A result with what stands elsewhere: its stored hits, its search's counts. A torn file is a fault of it."""
        hits: dict[str, npt.NDArray[np.bool_]] = {}
        faults = []
        for split in ("val", "test"):
            try:
                many = self.predictions(result.run, split)
            except StateError as error:
                faults.append(str(error))
            else:
                hits |= {split: np.stack([one.hits for one in many])} if many else {}
        return replace(
            result,
            hits=hits,
            faults=tuple(faults),
            counts=self.counts(result.search),
            searched=rows.searched(result, _searched(result, self.history(result.search))),
            luck=found.luck if (found := self.luck(result.search)) else None,
        )

    def _known(self, study: str) -> History:
        ids = self.journal.studies()
        if study not in ids:
            remedy = did_you_mean(study, ids) if ids else "there is no study yet: run isoflop search SPEC"
            raise UnknownError(Fault("study", f"unknown study {study!r}", remedy))
        return self.history(study)


def _val_predictions(home: Path, history: History, trials: Iterable[Trial]) -> Iterable[Predictions]:
    """What trials left of their logits on validation; those that went for want of room, or are torn, are left out."""
    for trial in trials:
        left = history.artifacts.get((trial.key, f"{VAL}predictions"))
        if left is not None:
            with suppress(StateError):
                yield load_predictions(home / left["path"])


def facts_of(study: str, history: History) -> Facts:
    """What a history knows of a study beside its trials."""
    return Facts(id=study, study=history.study, closed=history.closed, began=history.began, updated=history.updated)


def _study_row(study: str, history: History, *, running: bool) -> dict[str, Any]:
    return rows.study_row(facts_of(study, history), _counts(history), _complete(history), running=running)


def _results(study: str, history: History) -> list[Result]:
    """The finalists of one study."""
    seeds = [
        Seed(
            trial=trial,
            test=history.opened.get(trial.key, {}).get("metrics", {}),
            verdict=_newest_verdict(history, trial),
        )
        for trial in _complete(history)
    ]
    return rows.finalists(facts_of(study, history), seeds, rows.lost_of(history.trials.values()))


def _searched(result: Result, search: History) -> Trial | None:
    """The trial that a finalist retrains, none where its search is not here."""
    number = result.source.rpartition("/")[2]
    return search.trials.get(Key(trial=int(number))) if number.isdecimal() else None


def _newest_verdict(history: History, trial: Trial) -> Mapping[str, Any] | None:
    found = history.verdicts.get(trial.key)
    verdict: Mapping[str, Any] | None = plain(found[-1]) if found else None
    return verdict


def _complete(history: History) -> list[Trial]:
    return rows.complete(history.trials.values())


def _counts(history: History) -> dict[str, int]:
    return rows.counted(Counter(trial.state for trial in history.trials.values()))


def _split_run(run: str) -> tuple[str, int]:
    """Study and number of `STUDY/NUMBER`. Raises `UnknownError` for anything else."""
    study, _, number = run.rpartition("/")
    if not study or not number.isdecimal():
        raise UnknownError(Fault("run", f"{run!r} is not a run", "write STUDY/NUMBER, as isoflop leaderboard shows it"))
    return study, int(number)


_: type[Reads] = Store
