"""What is installed, which accelerator there is, and whether the state folder is in order: one remedy a line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from isoflop.errors import IsoflopError, StateError
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.provenance import hardware, versions
from isoflop.tracking.store import Store

PACKAGES = ("isoflop", "torch", "torchvision", "timm", "ray", "optuna", "mlflow", "dvc", "streamlit")
ROOM = 2e9
"""Bytes that should be free for checkpoints and artifacts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    good: bool = True
    remedy: str = ""

    def to_dict(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        """In a line, with the remedy where it is not good."""
        line = f"{'ok  ' if self.good else 'BAD '} {self.what:<14} {self.found}"
        return f"{line}; {self.remedy}" if self.remedy else line


def examine(home: Home | None = None) -> list[Finding]:
    """Look at everything; nothing is changed but that the state folder is made."""
    place = home or Home.find()
    return [*_packages(), *_machine(), *_folder(place)]


def _packages() -> Iterator[Finding]:
    for name, version in versions(*PACKAGES).items():
        remedy = "" if version else "run: make install"
        yield Finding(what=name, found=version or "missing", good=bool(version), remedy=remedy)


def _machine() -> Iterator[Finding]:
    yield Finding(what="processor", found=hardware())
    yield Finding(what="accelerator", found=_accelerator())


def _accelerator() -> str:
    """The GPUs by the driver's own tool, so that no torch is loaded."""
    if shutil.which("nvidia-smi") is None:
        return "none: trainings run on the CPU"
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    gpus = done.stdout.strip().splitlines()
    return "; ".join(gpus) if done.returncode == 0 and gpus else "none: trainings run on the CPU"


def _folder(home: Home) -> Iterator[Finding]:
    try:
        home.ensure()
    except StateError as error:
        yield Finding(what="state folder", found=str(error), good=False)
        return
    free = shutil.disk_usage(home.path).free
    remedy = "" if free > ROOM else f"free some room: {ROOM / 1e9:.0f} GB are wanted"
    yield Finding(what="state folder", found=f"{home.path} is writable")
    yield Finding(what="disk", found=f"{free / 1e9:.1f} GB free", good=free > ROOM, remedy=remedy)
    yield from _journal(home)
    yield _mlflow(home)
    sets = sorted(path.parent.name for path in home.data.glob("*/manifest.json"))
    remedy = "" if sets else "run: isoflop data prepare digits"
    yield Finding(what="data sets", found=", ".join(sets) or "none prepared yet", remedy=remedy)


def _journal(home: Home) -> Iterator[Finding]:
    if not home.journal.exists():
        yield Finding(what="journal", found="no study yet")
        return
    try:
        rows = Store(SqliteJournal.open_readonly(home.journal), home.path).studies()
    except IsoflopError as error:
        yield Finding(what="journal", found=str(error), good=False)
        return
    yield Finding(what="journal", found=f"{len(rows)} studies")
    for row in rows:
        if row["state"] in {"RUNNING", "INTERRUPTED"}:
            remedy = f"if nothing runs it: isoflop resume {row['id']}"
            yield Finding(what="study", found=f"{row['id']} is {row['state']}", remedy=remedy)


def _mlflow(home: Home) -> Finding:
    if not home.mlflow.exists():
        return Finding(what="mlflow", found="no records yet")
    try:
        with sqlite3.connect(f"file:{home.mlflow}?mode=ro", uri=True) as database:
            runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
    except sqlite3.Error as error:
        remedy = f"move {home.mlflow} away and write it anew: isoflop resume STUDY"
        return Finding(what="mlflow", found=f"unreadable ({error})", good=False, remedy=remedy)
    writable = os.access(home.mlflow, os.W_OK)
    return Finding(what="mlflow", found=f"{runs} runs", good=writable, remedy="" if writable else "make it writable")
