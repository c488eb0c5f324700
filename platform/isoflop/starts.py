"""What finished trainings left, into the weights that others begin with or learn from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoflop.config import RUN
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.models import cost
from isoflop.models.pretrained.store import add_own
from isoflop.outcome import key_of, known
from isoflop.tracking.store import Store
from isoflop.trained import left
from isoflop.weights import Origin


def add_run(run: str, *, home: Home) -> Path:
    """Store the weights of a leaderboard row, `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`, and return the file.

    Raises `UnknownError` where there is no such run or it left no weights, `DataError` where they are torn, and
    `StateError` where the disk refuses.
    """
    study, key = key_of(run)
    found = known(study, Store(SqliteJournal.open_readonly(home.journal), home.path))
    trial = next((trial for trial in found.trials if trial.key == key), None)
    spent = trial.last.flops if trial is not None and trial.last is not None else 0.0
    request = found.store.history(study).study["data"].get("request", {})
    return add_trained(home.artifacts(study, key), spent=spent, folder=home.weights, request=request)


def add_trained(trained: Path, *, spent: float, folder: Path, request: Mapping[str, Any] | None = None) -> Path:
    """Store the weights that a training left in a folder, and return the file.

    `spent` are its training FLOPs, `request` says from what and how its set was prepared, where that is known. Raises
    as `add_run` does.
    """
    weights, facts, seed = left(trained)
    config = facts.config
    origin = Origin(
        method=RUN,
        config=config.model_dump(mode="json"),
        seed=seed,
        data=config.data.digest,
        spent=spent,
        forward=float(cost(config.model, image=facts.image, classes=len(facts.classes)).flops),
        image=facts.image,
        labels=facts.classes,
        mean=facts.mean,
        std=facts.std,
        request=request or {},
    )
    return add_own(weights, origin, folder=folder, source=f"training on {config.data.name}, seed {seed}")
