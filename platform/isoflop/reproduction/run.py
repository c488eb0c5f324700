"""Bring a run back: its data, its code, its configuration and seed; train it again, compare, and write the verdict."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Final

from safetensors.numpy import load_file

from isoflop.bench import Bench
from isoflop.disk import refusals
from isoflop.errors import Fault, InputError, LeaseError
from isoflop.evaluation.predictions import load_predictions
from isoflop.execution.recorder import Recorder
from isoflop.home import Home
from isoflop.journal.protocol import LEASE_SECONDS
from isoflop.journal.sqlite import SqliteJournal
from isoflop.outcome import key_of, known
from isoflop.provenance import LIBRARIES, hardware, holder, provenance, versions
from isoflop.records import Record
from isoflop.reproduction.circumstances import circumstances
from isoflop.reproduction.comparison import (
    PLACE,
    TOLERANCE,
    Comparison,
    compare,
    compare_answers,
    compare_weights,
)
from isoflop.reproduction.dataset import data_for
from isoflop.reproduction.recorded import Recorded, Training, files_of, recorded
from isoflop.reproduction.sources import Source, source_of
from isoflop.reproduction.training import FailedError, Remade
from isoflop.reproduction.verdict import Reproduction, Verdict, in_words
from isoflop.tracking.store import Store

Progress = Callable[[int, int], None]
"""Told how many reports there are, and of how many."""
PAUSE: Final = 0.2
"""Seconds between two tries to take a lease that another has for a moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """How a run is to be brought back."""

    tolerance: float = TOLERANCE
    here: bool = False
    """Whether to train with the code that stands here, also where it is other code."""
    keep_going: bool = False
    """Whether to train on after the answer is certain, to see all differences."""
    data: Path | None = None
    """The folder of the data, none to look for it."""
    into: Path | None = None
    """A folder for the verdict and for what the trainings leave, none to leave nothing."""
    say: Callable[[str], None] = field(default=lambda _: None)
    """Told in lines what is other than it was, before anything is trained."""
    progress: Progress = field(default=lambda _done, _total: None)


def reproduce(
    run: str | Path,
    *,
    tolerance: float = TOLERANCE,
    here: bool = False,
    keep_going: bool = False,
    data: Path | None = None,
    bench: Bench | None = None,
) -> Reproduction:
    """Train a run again and hold it against its record; the verdict is written to the run.

    `run` is `STUDY/NUMBER`, of a finalist all its seeds, `STUDY/NUMBER.REPLICATE`, or a file that `export_stage` wrote,
    whose verdict is only returned. Where the code differs, the run's commit is trained in a clean git worktree; `here`
    trains with the present code instead. Data are found by their digest, or fetched through DVC. Stored answers and
    weights are compared too; the test set is not opened. Raises `UnknownError` for an unknown run, `DataError` where
    data differ, `InputError` where code differs and its commit is not to be had, `LeaseError` while the study is run.
    """
    return bring_back(run, Wish(tolerance=tolerance, here=here, keep_going=keep_going, data=data), bench=bench)


def bring_back(run: str | Path, wish: Wish, *, bench: Bench | None = None) -> Reproduction:
    """What `reproduce` does, as it is wished."""
    if not 0 <= wish.tolerance < math.inf:
        raise InputError(Fault("tolerance", f"{wish.tolerance} is no distance", "give a number from 0 up"))
    bench = bench or Bench.here(executor="inline")
    home = bench.home.ensure()
    found = look_up(run, home)
    for name in {name for training in found.trainings for name in training.names}:
        home.check_weights([name])
    with _scratch(home) as folder:
        place, changed = data_for(
            found.data,
            home=home,
            project=Path.cwd(),
            folder=folder,
            commit=str(found.origin.get("git_commit", "")),
            given=wish.data,
        )
        with source_of(found.run, found.origin, folder, here=wish.here, project=Path.cwd()) as source:
            now = provenance() | {"code": source.code}
            common = (*changed, *circumstances(found.origin, now))
            for line in (*common, *(note for training in found.trainings for note in training.notes)):
                wish.say(line)
            repeat = _Repeat(found=found, wish=wish, home=home, source=source, data=place, folder=folder, common=common)
            return _concluded(repeat, bench)


def look_up(run: str | Path, home: Home) -> Recorded:
    """The record of a run, out of the journal or of a file. Raises `LeaseError` while a driver runs its study."""
    if str(run).endswith(".json"):
        return Recorded.read(Path(run))
    name = str(run)
    study, _ = key_of(name)
    journal = SqliteJournal.open_readonly(home.journal)
    known(study, Store(journal, home.path))
    if (lease := journal.running(study)) is not None:
        raise LeaseError(f"study {study}: {lease.holder} is running it; reproduce {name} once it has ended")
    return recorded(name, journal.read(study), home.path)


def _concluded(repeat: _Repeat, bench: Bench) -> Reproduction:
    """All trainings one after another, each verdict written as soon as it stands."""
    verdicts, study, into = [], repeat.found.study, repeat.wish.into
    for training in repeat.found.trainings:
        verdicts.append(repeat.verdict(training))
        if study:
            _write(bench, study, verdicts[-1])
    done = Reproduction(run=repeat.found.run, trainings=tuple(verdicts))
    if into is not None:
        write_json(into / "verdict.json", done.to_dict())
    return done


def _write(bench: Bench, study: str, verdict: Verdict) -> None:
    """Write a verdict to the study. Raises `LeaseError`, with the verdict, where a driver has begun to run it."""
    with bench.tracker(study) as tell, ExitStack() as stack:
        recorder = Recorder(bench.journal, study, holder=holder(), listeners=(tell, *bench.listeners))
        patience = time.monotonic() + LEASE_SECONDS
        while True:
            try:
                stack.enter_context(recorder)
            except LeaseError as error:  # another verdict on this study may be written just now
                if time.monotonic() > patience:
                    what = f"{verdict.run}: {in_words(verdict.comparison)}"
                    raise LeaseError(f"{error}; this was not written: {what}") from None
                time.sleep(PAUSE)
            else:
                break
        recorder.judged(verdict.key, verdict.to_dict())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Repeat:
    """A run that is trained again."""

    found: Recorded
    wish: Wish
    home: Home
    source: Source
    data: Path
    folder: Path
    common: tuple[str, ...]
    """What is other than it was, for all trainings."""
    done: Iterator[int] = field(default_factory=lambda: count(1))
    """Counts reports."""

    def verdict(self, training: Training) -> Verdict:
        """Train again and compare."""
        remade = Remade(
            training=training,
            source=self.source,
            data=self.data,
            weights={name: self.home.weights_file(name) for name in training.names},
            home=self.home.path,
            folder=self.folder / str(training.key),
        )
        kept: list[Record] = []
        comparison = self._compared(training, remade, kept)
        if self.wish.into is not None:
            _leave(self.wish.into / "trainings" / str(training.key), remade.folder, kept)
        return Verdict(
            run=f"{self.found.run.rpartition('/')[0]}/{training.key}",
            key=training.key,
            seed=training.seed,
            comparison=comparison,
            metrics=kept[-1].metrics if kept else {},
            changes=(*self.common, *training.notes),
            code=self.source.code,
            source=self.source.what,
            other_code=self.source.other,
            hardware="; ".join(filter(None, (hardware(), remade.device))),
            versions=versions(*LIBRARIES),
            data_digest=str(self.found.data["digest"]),
        )

    def _compared(self, training: Training, remade: Remade, kept: list[Record]) -> Comparison:
        """The comparison of a training; its records are added to `kept` as they come."""
        with closing(remade.records()) as records:
            try:
                comparison = self._records(training, records, kept)
            except FailedError as error:
                comparison = compare(training.records, kept, tolerance=self.wish.tolerance, keep_going=True)
                return replace(comparison, failure=str(error))
        if comparison.reports < len(training.records) or not remade.complete:
            return comparison
        answers, weights = files_of(self.folder, training.key)
        if training.answers is not None:
            told = compare_answers(load_predictions(training.answers), load_predictions(answers))
            comparison = replace(comparison, answers=told)
        if training.weights is not None:
            comparison = replace(comparison, weights=compare_weights(load_file(training.weights), load_file(weights)))
        return comparison

    def _records(self, training: Training, records: Iterator[Record], kept: list[Record]) -> Comparison:
        total = sum(len(one.records) for one in self.found.trainings)

        def heard() -> Iterator[Record]:
            for record in records:
                kept.append(record)
                os.utime(self.folder)  # so that nobody takes it for a leftover
                self.wish.progress(next(self.done), total)
                yield record

        tolerance, keep_going = self.wish.tolerance, self.wish.keep_going
        comparison = compare(training.records, heard(), tolerance=tolerance, keep_going=keep_going)
        if comparison.reports == len(training.records):
            next(records, None)  # it leaves its answers
        return comparison


@contextmanager
def _scratch(home: Home) -> Iterator[Path]:
    """A folder for what is needed meanwhile; `isoflop gc` removes those of processes that were killed."""
    with refusals(home.reproductions):
        home.reproductions.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home.reproductions))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _leave(folder: Path, remade: Path, records: Sequence[Record]) -> None:
    """What a repeated training is kept for: its records, without what was measured in time, and its answers."""
    fields = ("report", *PLACE, "metrics")
    write_json(folder / "records.json", [{name: getattr(one, name) for name in fields} for one in records])
    answers = remade / "val_predictions.npz"
    if answers.is_file():
        shutil.copy2(answers, folder / answers.name)


def write_json(path: Path, values: object) -> None:
    """Write JSON, its folder too. Raises `StateError` where the disk refuses."""
    with refusals(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
