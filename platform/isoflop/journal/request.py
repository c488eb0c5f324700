"""What a person asks of a running driver from another terminal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isoflop.records import Key


class RequestKind(StrEnum):
    """What is asked."""

    STOP = "stop"
    """Stop the study as Ctrl-C does: checkpoints stand, and it can be resumed."""
    KILL = "kill"
    """End one trial for good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A wish that the study's driver has not answered yet."""

    id: int
    study: str
    kind: RequestKind
    key: Key | None = None
    """The trial, none where it is the whole study."""
    made: float
    """Unix seconds."""
    by: str
    """Who asks, as NAME@HOST."""
