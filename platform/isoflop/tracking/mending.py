"""Records held against the journal, and made what it says: written where they lack something, ended, removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from isoflop.errors import StateError
from isoflop.journal.event import Event
from isoflop.journal.protocol import LEASE_SECONDS, Journal
from isoflop.tracking.audit import Flaw, What, audit
from isoflop.tracking.projection import project
from isoflop.tracking.protocol import Mendable

SLICE = 2000
"""Events that are written between two renewals of a lease."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mended:
    """What was done to a study's records."""

    study: str
    runs: int
    """That stand now."""
    written: int = 0
    """That were missing or lacked something."""
    removed: int = 0
    ended: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.written or self.removed or self.ended)

    def __str__(self) -> str:
        """In a line."""
        done = {"written": self.written, "removed": self.removed, "ended": self.ended}
        told = ", ".join(f"{count} {name}" for name, count in done.items() if count)
        return f"study {self.study}: {self.runs} runs in MLflow, {told or 'nothing to do'}"


def find(tracker: Mendable, journal: Journal, study: str) -> list[Flaw]:
    """What is wrong with the records of a study that nobody runs now; nothing is changed."""
    return _audit(tracker, study, journal.read(study))[0]


def mend(tracker: Mendable, journal: Journal, study: str, *, holder: str) -> Mended:
    """Make the records of a study what its journal says, all of them where there are none.

    The study's lease is held meanwhile, so that there is one writer. Raises `LeaseError` where somebody runs the study,
    `StateError` where the records cannot be reached, or are not whole after all.
    """
    lease = journal.acquire(study, holder, LEASE_SECONDS)
    try:
        events = journal.read(study)
        found = _by_kind(_audit(tracker, study, events)[0])
        tracker.remove(flaw.run for what in (What.SURPLUS, What.WRONG) for flaw in found[what])
        if lacking := [*found[What.WRONG], *found[What.GAP]]:
            tracker.begin(study, events[0])
            tracker.rewind(study)
            tracker.begin(study, events[0])
            for place in range(0, len(events), SLICE):
                tracker.sync(study, events[place : place + SLICE])
                lease = journal.renew(lease, LEASE_SECONDS)
        flaws, runs = _audit(tracker, study, events)
        left = _by_kind(flaws)
        tracker.end({flaw.run: events[-1].time for flaw in left.pop(What.RUNNING)})
        for flaw in (flaw for many in left.values() for flaw in many):
            raise StateError(f"study {study}: a run in MLflow {flaw.detail} after it was written; look at it there")
    finally:
        journal.release(lease)
    counts = Counter(flaw.what for flaw in flaws)
    return Mended(
        study=study,
        runs=runs,
        written=len(lacking),
        removed=len(found[What.SURPLUS]) + len(found[What.WRONG]),
        ended=counts[What.RUNNING],
    )


def _audit(tracker: Mendable, study: str, events: Sequence[Event]) -> tuple[list[Flaw], int]:
    """What is wrong, and how many runs there are."""
    runs = tracker.seen(study, events[0])
    return audit(project(events), runs), len(runs)


def _by_kind(flaws: Sequence[Flaw]) -> dict[What, list[Flaw]]:
    return {what: [flaw for flaw in flaws if flaw.what is what] for what in What}
