"""The cache itself: a folder that is brought up to date with a source, by one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self

from isoflop.errors import StateError
from isoflop.tracking.cache.manifest import Manifest, Summary, TornError, load, save
from isoflop.tracking.cache.run import Curve, Run
from isoflop.tracking.cache.source import Source
from isoflop.tracking.cache.summary import Summarizer
from isoflop.tracking.cache.tables import Tables
from isoflop.tracking.rows import FINALISTS

SEGMENT = 5_000
"""Runs of a segment of a first sync, the most."""


@dataclass(frozen=True, slots=True)
class Cache:
    """What a source holds, in a folder of its own. Raises `StateError` where source or disk fail."""

    source: Source
    folder: Path

    @classmethod
    def of(cls, source: Source, root: Path) -> Self:
        """The cache of a source among others."""
        return cls(source, root / hashlib.sha256(source.name.encode()).hexdigest()[:16])

    @property
    def name(self) -> str:
        """Whose cache it is."""
        return f"{self.source.name} {self.source.mark}"

    @contextmanager
    def tables(self) -> Iterator[Tables]:
        """The segments, to be asked."""
        tables = Tables(self.folder)
        try:
            yield tables
        finally:
            tables.close()

    def sync(self) -> Manifest:
        """Take in what is new. A cache that is torn or of another format is made anew."""
        with self._locked():
            try:
                return self._synced(load(self.folder, self.name))
            except TornError:
                return self._anew()

    def anew(self) -> Manifest:
        """Make it anew from the source alone."""
        with self._locked():
            return self._anew()

    def with_curves(self, run: str) -> tuple[Manifest, dict[str, Curve]]:
        """The curves of a study's trainings by run, those that are new fetched first; and the manifest they go with."""
        with self._locked(), self.tables() as tables:
            manifest = load(self.folder, self.name)
            if (study := manifest.studies.get(run)) is None:
                raise TornError(f"{run} is not here any more")
            known = tables.curves(manifest, study)
            runs = [one for one in tables.runs(manifest, study) if any(step for _, step in one.metrics.values())]
            missing = [one for one in runs if one.id not in known or known[one.id][0] < one.seq]
            if missing:
                found = self.source.curves(run, missing)
                fresh = {one.id: (one.seq, found.get(one.id, {})) for one in missing}
                manifest.curves.append(tables.add_curves(run, fresh))
                save(self.folder, manifest)
                known |= fresh
            return manifest, {one.id: known[one.id][1] for one in runs}

    def _anew(self) -> Manifest:
        self._wipe()
        try:
            return self._synced(Manifest(source=self.name))
        except TornError as error:
            raise StateError(f"{self.folder}: what was just written there cannot be read ({error})") from error

    def _synced(self, manifest: Manifest) -> Manifest:
        cursors = {run: study.cursor for run, study in manifest.studies.items()}
        heads = self.source.heads(cursors)
        # A number that went back is another history: an older copy was put in the place of the store.
        stale = {run: cursors.get(run, 0) for run, head in heads.items() if head != cursors.get(run, 0)}
        stale |= {run: 0 for run in stale if heads[run] < cursors.get(run, 0)}
        if not stale and heads.keys() == cursors.keys():
            return manifest
        manifest.generation += 1
        manifest.studies = {run: _study(manifest, run, head, anew=not stale.get(run, 1)) for run, head in heads.items()}
        with self.tables() as tables:
            runs = _merged(self.source.changes(stale), tables, manifest, stale)
            for some in _batches(runs, SEGMENT):
                manifest.runs.append(tables.add_runs(some, manifest.generation))
            _summarize(Summarizer(tables, manifest), manifest, stale)
            manifest.runs = tables.compacted(manifest)
        save(self.folder, manifest)
        self._sweep(manifest)
        return manifest

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time; the lock is let go when its holder dies."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StateError(f"{self.folder}: the cache of reads cannot be used ({error.strerror or error})") from error

    def _wipe(self) -> None:
        for path in self.folder.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _sweep(self, manifest: Manifest) -> None:
        """Remove segments that no longer count, or never did since a sync was cut off."""
        kept = {one.name for one in (*manifest.runs, *manifest.curves)}
        for path in self.folder.glob("*.parquet"):
            if path.name not in kept:
                with suppress(OSError):
                    path.unlink()


def _study(manifest: Manifest, run: str, head: int, *, anew: bool) -> Summary:
    """A study before it is summarized: as it was, or empty."""
    known = manifest.studies.get(run)
    if known is None or anew:
        return Summary(run=run, id="", cursor=head, since=manifest.generation, row={}, opened={})
    return replace(known, cursor=head)


def _merged(changes: Iterable[Run], tables: Tables, manifest: Manifest, cursors: Mapping[str, int]) -> Iterator[Run]:
    """Changes on top of what stands of their runs."""
    for some in _batches(changes, 500):
        by_study: dict[str, list[str]] = {}
        for run in some:
            if cursors[run.parent]:
                by_study.setdefault(run.parent, []).append(run.id)
        known: dict[str, Run] = {}
        for parent, runs in by_study.items():
            known |= tables.known(manifest, manifest.studies[parent], runs)
        yield from (known[run.id].merged(run) if run.id in known else run for run in some)


def _summarize(summarizer: Summarizer, manifest: Manifest, stale: Mapping[str, int]) -> None:
    """Work out what changed, and what is owed to it: a search's luck to its finalists, a finalist's to its search."""
    for run in stale:
        manifest.studies[run] = summarizer.own(manifest.studies[run])
    changed = {manifest.studies[run].id for run in stale}
    touched = [run for run, study in manifest.studies.items() if _touched(study, changed)]
    searches = [run for run in touched if manifest.studies[run].row["plan"] != FINALISTS]
    for run in (*searches, *(run for run in touched if run not in searches)):
        manifest.studies[run] = summarizer.whole(manifest.studies[run])


def _touched(study: Summary, changed: set[str]) -> bool:
    return bool(changed & {study.id, f"{study.id}-{FINALISTS}", study.row["parent"]})


def _batches(runs: Iterable[Run], size: int) -> Iterator[Sequence[Run]]:
    rest = iter(runs)
    while some := list(islice(rest, size)):
        yield some
