"""Stored predictions: the logits of one training on one split, kept so that later questions need no second run."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isoflop.errors import StateError
from isoflop.evaluation.metrics import Labels, Logits, hits_of, shifted

FLOOR = float(np.finfo(np.float16).min)
"""Logits further than this below the largest of their image are stored as this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """Logits and labels of a split, in its stored order."""

    logits: npt.NDArray[np.float16]
    """(N, classes); the largest of each image is 0."""
    labels: npt.NDArray[np.int64]
    split: str
    data_digest: str
    sha256: str
    """Of logits, labels, split and data digest."""

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """Which images are classified rightly."""
        return hits_of(self.logits, self.labels)


def save_predictions(path: Path, logits: Logits, labels: Labels, *, split: str, data_digest: str) -> Path:
    """Store logits (N, classes) as float16 with their labels (N,); written beside and renamed. Returns the path.

    The largest logit of each image is taken from all of them first, which changes no probability: around 0 float16 is
    fine enough to keep the order at the top, so accuracy from the file is accuracy from the net.
    """
    stored = np.maximum(shifted(logits), FLOOR).astype(np.float16)
    targets = labels.astype(np.int64)
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with beside.open("wb") as file:
            np.savez(
                file,
                logits=stored,
                labels=targets,
                split=np.asarray(split),
                data_digest=np.asarray(data_digest),
                sha256=np.asarray(_digest(stored, targets, split, data_digest)),
            )
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def load_predictions(path: Path) -> Predictions:
    """Read stored predictions. Raises `StateError` where the file is missing, torn or changed."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = Predictions(
                logits=file["logits"],
                labels=file["labels"],
                split=str(file["split"]),
                data_digest=str(file["data_digest"]),
                sha256=str(file["sha256"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StateError(f"{path}: the stored predictions cannot be read ({error}); retrain the finalist") from None
    if found.sha256 != _digest(found.logits, found.labels, found.split, found.data_digest):
        raise StateError(f"{path}: the stored predictions are not what was written; retrain the finalist")
    return found


def _digest(logits: npt.NDArray[np.float16], labels: npt.NDArray[np.int64], split: str, data_digest: str) -> str:
    """Hash of everything that a file of predictions says."""
    about = f"{split}\n{data_digest}\n{logits.shape}\n".encode()
    return hashlib.sha256(about + logits.tobytes() + labels.tobytes()).hexdigest()
