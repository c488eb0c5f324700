"""What is installed, which accelerator there is, and whether the state folder is in order: one remedy a line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from isoflop.cleaning import Cleaning
from isoflop.energy import told
from isoflop.errors import IsoflopError, LeaseError, StateError
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.provenance import hardware, holder, versions
from isoflop.tracking.abandoned import count_runs, end_runs, running_runs
from isoflop.tracking.store import Store

PACKAGES = ("isoflop", "torch", "torchvision", "timm", "ray", "optuna", "mlflow", "dvc", "streamlit")
ROOM = 2e9
"""Bytes that should be free for checkpoints and artifacts."""
FIX = "run: isoflop doctor --fix"


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


def mend(home: Home | None = None) -> list[str]:
    """End runs that MLflow shows as running though nobody runs them, and give stale leases back; what was done."""
    place = home or Home.find()
    if not place.journal.exists():
        return []
    journal = SqliteJournal(place.journal)
    done = []
    for lease in journal.stale():
        try:
            journal.release(journal.acquire(lease.study, holder(), seconds=1.0))
        except LeaseError:
            continue  # somebody has just begun to run it
        done.append(f"study {lease.study}: the lease of {lease.holder} was given back")
    runs = _abandoned(place, journal) if place.mlflow.exists() else {}
    if runs:
        store = Store(journal, place.path)
        end_runs(
            place.mlflow, place.mlflow_artifacts, {run: store.history(study).updated for run, study in runs.items()}
        )
        done.append(f"{len(runs)} runs ended in MLflow")
    return done


def _packages() -> Iterator[Finding]:
    for name, version in versions(*PACKAGES).items():
        remedy = "" if version else "run: make install"
        yield Finding(what=name, found=version or "missing", good=bool(version), remedy=remedy)


def _machine() -> Iterator[Finding]:
    yield Finding(what="processor", found=hardware())
    yield Finding(what="accelerator", found=_accelerator())
    found, remedy = told()
    yield Finding(what="energy", found=found, remedy=remedy)


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
    yield from _mlflow(home)
    sets = sorted(path.parent.name for path in home.data.glob("*/manifest.json"))
    remedy = "" if sets else "run: isoflop data prepare digits"
    yield Finding(what="data sets", found=", ".join(sets) or "none prepared yet", remedy=remedy)


def _journal(home: Home) -> Iterator[Finding]:
    if not home.journal.exists():
        yield Finding(what="journal", found="no study yet")
        return
    try:
        journal = SqliteJournal.open_readonly(home.journal)
        rows = Store(journal, home.path).studies()
        running = {row["id"]: journal.running(row["id"]) for row in rows}
        stale, leftovers = journal.stale(), Cleaning(home=home, journal=journal).find()
    except IsoflopError as error:
        yield Finding(what="journal", found=str(error), good=False)
        return
    yield Finding(what="journal", found=f"{len(rows)} studies")
    for row in rows:
        if (lease := running[row["id"]]) is not None:
            yield Finding(what="study", found=f"{row['id']} is run by {lease.holder}")
        elif row["state"] in {"RUNNING", "INTERRUPTED"}:
            remedy = f"go on: isoflop resume {row['id']}"
            yield Finding(what="study", found=f"{row['id']} was left {row['state']}", remedy=remedy)
    for lease in stale:
        yield Finding(what="lease", found=f"{lease.holder} holds study {lease.study} and is gone", remedy=FIX)
    size = sum(one.size for one in leftovers)
    if leftovers:
        found = f"{len(leftovers)} things that nobody needs, {size / 1e6:.1f} MB"
        yield Finding(what="leftovers", found=found, remedy="run: isoflop gc")


def _mlflow(home: Home) -> Iterator[Finding]:
    if not home.mlflow.exists():
        yield Finding(what="mlflow", found="no records yet")
        return
    try:
        runs = count_runs(home.mlflow)
        journal = SqliteJournal.open_readonly(home.journal) if home.journal.exists() else None
        left = _abandoned(home, journal) if journal else {}
    except sqlite3.Error as error:
        remedy = f"move {home.mlflow} away and write it anew: isoflop resume STUDY"
        yield Finding(what="mlflow", found=f"unreadable ({error})", good=False, remedy=remedy)
        return
    except StateError:
        left = {}  # the journal's own line tells
    writable = os.access(home.mlflow, os.W_OK)
    yield Finding(what="mlflow", found=f"{runs} runs", good=writable, remedy="" if writable else "make it writable")
    for study in sorted(set(left.values())):
        many = sum(one == study for one in left.values())
        found = f"{many} runs of study {study} are shown as running, and nobody runs it"
        yield Finding(what="mlflow", found=found, good=False, remedy=FIX)


def _abandoned(home: Home, journal: SqliteJournal) -> dict[str, str]:
    """Studies of this journal by the runs that MLflow shows as running though nobody runs them."""
    known = set(journal.studies())
    runs = running_runs(home.mlflow)
    idle = {study for study in known.intersection(runs.values()) if journal.running(study) is None}
    return {run: study for run, study in runs.items() if study in idle}
