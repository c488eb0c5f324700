"""What a state folder holds that nobody needs any more: found first, then removed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoflop.errors import StateError
from isoflop.home import Home
from isoflop.journal.history import History
from isoflop.journal.lease import ended
from isoflop.journal.protocol import Journal
from isoflop.retention import checkpoints, size_of

DAY = 86_400.0
OLD = 30 * DAY
"""Seconds after which logs of trials that are over, and copies of journals of older versions, may go."""
HOUR = 3600.0
"""Seconds that a file must have been left alone before it counts as torn: its process may be on another machine."""
TORN = re.compile(r"\..+?-(\d+)(-\d+)?(-journal|-wal|-shm)?")
"""A file that is written beside its place: `.NAME-PROCESS`, of the journal with a thread too."""
SCRATCH = re.compile(r"isoflop-ray-(\d+)-.+")
"""A driver's folder for Ray, below the machine's temporary folder: `isoflop-ray-PROCESS-ANY`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """A file or folder that may go."""

    what: str
    path: Path
    why: str
    study: str = ""
    size: int
    """Bytes."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"what": self.what, "study": self.study, "size": self.size, "why": self.why, "path": str(self.path)}


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What is looked through, and by which clock."""

    home: Home
    journal: Journal
    study: str | None = None
    """The one study to look at; none means all, and what belongs to no study."""
    keep: int | None = None
    """Checkpoints that stay of each open trial, the newest; none means all."""
    scratch: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    now: float = field(default_factory=time.time)
    ended: Callable[[int], bool] = ended
    """Whether a process of this machine has ended."""

    def find(self) -> list[Leftover]:
        """All that may go. Of a study that somebody runs nothing is named, nor are weights, predictions and data."""
        # Folders first, the journal after: a study that begins in between is in the journal before it has a folder.
        names = [name for name in self._studies() if self.study in {None, name}]
        known = set(self.journal.studies())
        found: list[Leftover] = []
        for name in names:
            if self.journal.running(name) is None:
                history = History.fold(self.journal.read(name)) if name in known else None
                found += [*self._checkpoints(name, history), *self._logs(name, history), *self._torn(name)]
        return found if self.study else [*found, *self._unowned()]

    def _studies(self) -> list[str]:
        parts = [self.home.path / part for part in ("checkpoints", "logs", "artifacts")]
        return sorted({path.name for part in parts if part.is_dir() for path in part.iterdir() if path.is_dir()})

    def _checkpoints(self, study: str, history: History | None) -> Iterator[Leftover]:
        folder = self.home.path / "checkpoints" / study
        if history is None:
            if folder.is_dir():
                yield _leftover("checkpoints", folder, "its study is not in the journal", study)
            return
        open_trials = {str(trial.key) for trial in history.open()}
        for path in sorted(folder.glob("*")):
            if path.name not in open_trials:
                yield _leftover("checkpoints", path, "its trial is over", study)
            elif self.keep is not None:
                for one in checkpoints(path)[self.keep :]:
                    yield _leftover("checkpoint", one, f"older than the last {self.keep}", study)

    def _logs(self, study: str, history: History | None) -> Iterator[Leftover]:
        open_trials = {str(trial.key) for trial in history.open()} if history else set()
        for path in sorted((self.home.path / "logs" / study).glob("*.txt")):
            if path.stem not in open_trials and self._age(path) > OLD:
                yield _leftover("log", path, _days(self._age(path)), study)

    def _torn(self, study: str) -> Iterator[Leftover]:
        for part in ("checkpoints", "artifacts"):
            for path in sorted((self.home.path / part / study).rglob(".*")):
                yield from self._if_torn(path, study)

    def _unowned(self) -> Iterator[Leftover]:
        """What belongs to no study."""
        for path in sorted([*self.home.path.glob(".*"), *self.home.weights.glob(".*")]):
            yield from self._if_torn(path, "")
        yield from self._reproductions()
        for path in sorted(self.home.path.glob(f"{self.home.journal.name}.v*.bak")):
            if self._age(path) > OLD:
                yield _leftover("journal's copy", path, _days(self._age(path)))
        for path in sorted(self.scratch.glob("isoflop-ray-*")):
            owner = SCRATCH.fullmatch(path.name)
            if owner and path.lstat().st_uid == os.getuid() and self.ended(int(owner[1])):
                yield _leftover("Ray's scratch", path, f"process {owner[1]} has ended")

    def _reproductions(self) -> Iterator[Leftover]:
        """Folders of repeated trainings whose process has ended: they are touched at every report, on any machine."""
        for path in sorted(self.home.reproductions.glob("*")):
            owner = path.name.partition("-")[0]
            if owner.isdigit() and self._age(path) > DAY and self.ended(int(owner)):
                yield _leftover("reproduction", path, f"process {owner} has ended")

    def _if_torn(self, path: Path, study: str) -> Iterator[Leftover]:
        owner = TORN.fullmatch(path.name)
        if owner and path.is_file() and self._age(path) > HOUR and self.ended(int(owner[1])):
            yield _leftover("torn write", path, f"process {owner[1]} has ended", study)

    def _age(self, path: Path) -> float:
        try:
            return self.now - path.lstat().st_mtime
        except OSError:
            return 0.0  # gone meanwhile


def remove(leftovers: Iterable[Leftover]) -> list[Leftover]:
    """Remove what was found and return it. Raises `StateError` where something does not go; the rest goes first."""
    gone, kept = [], []
    for one in leftovers:
        try:
            if one.path.is_dir() and not one.path.is_symlink():
                shutil.rmtree(one.path)
            else:
                one.path.unlink(missing_ok=True)
        except OSError as error:
            kept.append(f"{one.path}: cannot be removed ({error.strerror})")
        else:
            gone.append(one)
    if kept:
        raise StateError("; ".join([*kept, f"{len(gone)} others are gone"]))
    return gone


def _leftover(what: str, path: Path, why: str, study: str = "") -> Leftover:
    return Leftover(what=what, path=path, why=why, study=study, size=size_of(path))


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.0f} days old"
