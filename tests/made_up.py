"""Made-up studies, written into a real journal event by event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoflop.evaluation.predictions import save_predictions
from isoflop.journal.event import ARTIFACTS, Event, Kind
from isoflop.journal.protocol import Journal
from isoflop.records import Record, State

SPEC = {"space": {}, "study": {"name": "digits", "objectives": [{"metric": "val_accuracy", "direction": "maximize"}]}}
DATA = {"name": "digits", "digest": "d1", "path": "/data/digits", "shape": [1, 8, 8]}
CONFIG = {"model.family": "resnet", "model.depth": 1.5, "model.stem": 1}


class Writer:
    """Writes one study's events, with times that count up."""

    def __init__(self, journal: Journal, study: str, *, clock: float = 0.0, **facts: Any) -> None:
        self.journal, self.study, self.clock = journal, study, clock
        self.lease = journal.acquire(study, "test", 60.0)
        about = {"name": "digits", "plan": "search", "spec": SPEC, "data": DATA, "provenance": {}, "parent": None}
        self.write(Kind.STUDY, -1, payload=about | facts)

    def write(
        self, kind: Kind, trial: int = -1, *, replicate: int = 0, index: int = 0, payload: Mapping[str, Any]
    ) -> None:
        self.clock += 1
        event = Event(kind=kind, trial=trial, replicate=replicate, index=index, payload=payload, time=self.clock)
        self.journal.append(self.lease, [event])

    def trial(self, number: int, curve: Sequence[float] = (), state: State | None = None, **more: Any) -> None:
        replicate, reason = more.pop("replicate", 0), more.pop("reason", "")
        start = {
            "params": {"model.family": "resnet", "optim.lr": 0.1},
            "config": CONFIG,
            "seed": 10 + replicate,
            "fingerprint": "f",
            "parameters": 1000,
            "flops": 2e6,
            "source": "tpe",
        }
        self.write(Kind.START, number, replicate=replicate, payload=start | more)
        for report, value in enumerate(curve, start=1):
            self.write(Kind.RECORD, number, replicate=replicate, index=report, payload=record(report, value).to_dict())
        if state is not None:
            end = {"state": str(state), "reason": reason}
            self.write(Kind.END, number, replicate=replicate, payload=end)

    def opened(self, number: int, replicate: int, accuracy: float) -> None:
        payload = {"data_digest": "d1", "metrics": {"test_accuracy": accuracy}}
        self.write(Kind.OPENED, number, replicate=replicate, payload=payload)

    def stored(self, home: Path, number: int, replicate: int, split: str, hits: npt.NDArray[np.bool_]) -> None:
        """Predictions of two classes that are right where `hits` says so."""
        labels = np.arange(len(hits)) % 2
        name = f"{self.study}-{number}-{replicate}-{split}.npz"
        save_predictions(home / name, np.eye(2)[labels ^ ~hits], labels, split=split, data_digest="d1")
        payload = {"path": name, "sha256": ""}
        place = ARTIFACTS.index(f"{split}_predictions")
        self.write(Kind.ARTIFACT, number, replicate=replicate, index=place, payload=payload)


def record(report: int, value: float) -> Record:
    metrics = {"val_accuracy": value, "val_loss": 1 - value, "train_loss": 0.5}
    return Record(report=report, step=report, epoch=report, images=64, flops=1.0, fidelity=report, metrics=metrics)
