"""What one step of a training came to, as it travels from a worker to the driver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from isoflop.records import Artifact, Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A report, a measurement or a failure: exactly one of them."""

    record: Record | None = None
    artifacts: Sequence[Artifact] | None = None
    """What the training left, where the record is its last."""
    latency: Mapping[str, Any] | None = None
    """`latency` in milliseconds, `spread` and `hardware`."""
    failed: str = ""
    """Why the training itself failed."""
    exhausted: str = ""
    """What it needed more memory for than there is."""
    lost: str = ""
    """Which of its processes was lost."""
    fault: str = ""
    """What failed that is not the training's fault: its disk, its data."""

    def to_text(self) -> str:
        """As JSON: it keeps floats to the last bit, and Ray Tune would take nested values apart."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` wrote."""
        values = json.loads(text)
        record, artifacts = values["record"], values["artifacts"]
        values["record"] = None if record is None else Record.from_dict(record)
        values["artifacts"] = None if artifacts is None else [Artifact(**one) for one in artifacts]
        return cls(**values)
