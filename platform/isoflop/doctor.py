"""What is installed, which accelerator there is, and whether the state folder is in order: one remedy a line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

from isoflop.cleaning import Cleaning
from isoflop.energy import told
from isoflop.errors import IsoflopError, LeaseError, StateError
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.provenance import hardware, holder, versions
from isoflop.tracking.address import local_file, open_tracker, tracking_uri
from isoflop.tracking.audit import Flaw, What
from isoflop.tracking.mending import Mended, find
from isoflop.tracking.mending import mend as mend_study
from isoflop.tracking.redaction import hide_userinfo
from isoflop.tracking.store import Store

PACKAGES = ("isoflop", "torch", "torchvision", "timm", "ray", "optuna", "mlflow", "dvc", "streamlit")
ROOM = 2e9
"""Bytes that should be free for checkpoints and artifacts."""
FIX = "run: isoflop doctor --fix"
WRITE = "isoflop track"
FLAWS = {
    What.RUNNING: "are shown as running, and nobody runs it",
    What.SURPLUS: "are too many",
    What.WRONG: "have other parameters than the journal",
    What.GAP: "are missing or lack something",
}


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
    """Give stale leases back, and make MLflow's records what the journal says; what was done, a line each."""
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
    return done + [str(mended) for mended in track(place, journal) if mended.changed]


def track(home: Home, journal: SqliteJournal, *studies: str, uri: str | None = None) -> Iterator[Mended]:
    """Make the records of studies what the journal says, by default of all that nobody runs; what was done to each.

    Raises `LeaseError` where somebody runs one that is named, `StateError` where records cannot be reached.
    """
    chosen = studies or [study for study in journal.studies() if journal.running(study) is None]
    if not chosen:
        return
    with closing(open_tracker(home, uri or tracking_uri(home))) as tracker:
        for study in chosen:
            yield mend_study(tracker, journal, study, holder=holder())


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
    uri = tracking_uri(home)
    file = local_file(uri)
    try:
        journal = SqliteJournal.open_readonly(home.journal) if home.journal.exists() else None
        studies = journal.studies() if journal else ()
    except StateError:
        return  # the journal's own line tells
    if journal is None or (file is not None and not file.exists()):
        remedy = f"written anew by: {WRITE}" if studies else ""
        yield Finding(
            what="mlflow", found="no records" if studies else "no records yet", good=not studies, remedy=remedy
        )
        return
    idle = [study for study in studies if journal.running(study) is None]
    try:
        with closing(open_tracker(home, uri)) as tracker:
            flaws = {study: find(tracker, journal, study) for study in idle}
    except StateError as error:
        remedy = f"move {file} away, then run: {WRITE}" if file else f"records wait in the journal; then run: {WRITE}"
        yield Finding(what="mlflow", found=str(error), good=False, remedy=remedy)
        return
    writable = file is None or os.access(file, os.W_OK)
    found = f"records of {len(idle)} studies at {hide_userinfo(uri)} were held against the journal"
    yield Finding(what="mlflow", found=found, good=writable, remedy="" if writable else "make it writable")
    for study, some in flaws.items():
        yield from _flaws(study, some)


def _flaws(study: str, flaws: Sequence[Flaw]) -> Iterator[Finding]:
    """A line for each kind of what is wrong with the records of a study."""
    for what, words in FLAWS.items():
        some = [flaw for flaw in flaws if flaw.what is what]
        if some:
            first = some[0]
            whose = study if first.place is None else f"{study}/{first.place}"
            found = f"{len(some)} runs of study {study} {words} ({whose} {first.detail})"
            yield Finding(what="mlflow", found=found, good=False, remedy=FIX)
