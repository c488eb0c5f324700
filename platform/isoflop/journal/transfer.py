"""A study's events as lines of JSON, to carry a study from one journal to another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from isoflop.errors import StateError
from isoflop.journal.event import Event, Kind
from isoflop.journal.protocol import Journal

SECONDS = 30.0


def dump(journal: Journal, study: str) -> Iterator[str]:
    """A study's events, one line each, in order."""
    for event in journal.read(study):
        row = {
            "kind": event.kind,
            "trial": event.trial,
            "replicate": event.replicate,
            "index": event.index,
            "time": event.time,
            "payload": event.payload,
        }
        yield json.dumps(row, sort_keys=True)


def load(journal: Journal, study: str, lines: Iterable[str], *, holder: str) -> int:
    """Write the events of `dump` into a journal; those that stand change nothing. Returns how many were new.

    Raises `StateError` for a torn line and for an event that this version does not know, before anything is written.
    """
    events = [_event(number, line) for number, line in enumerate(lines, start=1)]
    lease = journal.acquire(study, holder, SECONDS)
    try:
        return journal.append(lease, events)
    finally:
        journal.release(lease)


def _event(number: int, line: str) -> Event:
    try:
        row = json.loads(line)
        return Event(**{**row, "kind": Kind(row["kind"])})
    except (ValueError, TypeError, KeyError) as error:
        raise StateError(
            f"line {number} is no event that this version knows ({error}); use a whole copy, or upgrade isoflop"
        ) from None
