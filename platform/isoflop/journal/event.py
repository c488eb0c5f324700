"""What happened in a study: the rows of its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA = 2
"""Version of the journal: an older one is migrated (`migration.py`), a newer one refused."""


class Kind(StrEnum):
    """What an event tells, with the payload it carries."""

    STUDY = "study"
    """A study began or went on changed (index: its segment): `spec`, `plan`, `data`, `provenance`."""
    START = "start"
    """A trial was decided: `params`, `config`, `seed`, `fingerprint`, `parameters`, `flops`, `source`."""
    STATE = "state"
    """An open trial's state changed (index: a running number within the trial): `state`, `worker`."""
    RECORD = "record"
    """A training reported (index: the report): the record."""
    MEASURED = "measured"
    """A trial's latency was measured: `latency` in milliseconds, `spread`, `hardware`."""
    RETRY = "retry"
    """A trial ran out of memory and goes on (index: the attempt): `config`, `fingerprint`, `reason`."""
    FAULT = "fault"
    """A trial's worker or node was lost (index: a running number within the trial): `reason`, `reports`."""
    END = "end"
    """A trial reached its final state: `state`, `reason`."""
    ARTIFACT = "artifact"
    """A file stands (index: one of `ARTIFACTS`): `path` relative to the state folder, `sha256`."""
    OPENING = "opening"
    """The test set is about to be opened (index: a running number within the study): `version`, `data_digest`, `why`,
    `again`, and `trainings`, those that it is opened for. It is written before an image is read."""
    OPENED = "opened"
    """The test set was opened for a trial: `data_digest`, `metrics`."""
    REPORTED = "reported"
    """A report of the whole study stands (index: its segment): `files` relative to the state folder, `numbers`."""
    VERDICT = "verdict"
    """A training was repeated and held against its record (index: a running number within the trial): `answer`,
    `tolerance`, `first`, `hardware`, and what else `reproduction.verdict` says."""
    DEADLINE = "deadline"
    """The time budget ran out (index: the study's segment): nothing starts any more."""
    CLOSED = "closed"
    """The study ended (index: its segment): `state`, `reason`."""


ARTIFACTS = ("weights", "val_predictions", "test_predictions", "val_report", "test_report")
"""The kinds of files that a trial leaves; the place in this tuple is the event's index, so new ones come last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One row. Within a study, kind, trial, replicate and index name it: writing it twice changes nothing."""

    kind: Kind
    trial: int = -1
    """The trial's number; -1 where the event is the study's own."""
    replicate: int = 0
    index: int = 0
    payload: Mapping[str, Any] = field(default_factory=dict)
    """JSON values; floats may be NaN or infinite."""
    time: float = 0.0
    """Unix seconds, for people; nothing is decided by it."""
    seq: int = 0
    """Place in the journal, given by it: ascending in the order of writing."""
