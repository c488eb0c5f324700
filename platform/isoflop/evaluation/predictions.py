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
from isoflop.evaluation.blocks import Labels, Logits
from isoflop.evaluation.measure import hits
from isoflop.evaluation.metrics import shifted
from isoflop.tasks import CLASSIFICATION, USUAL, Kind, kind_of

FLOOR = float(np.finfo(np.float16).min)
"""Logits further than this below the largest of their image are stored as this."""
LEAST = np.finfo(np.float16).smallest_subnormal
"""Of independent logits those that would be rounded to 0 are stored as this, with their sign."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """Logits and labels of a split, in its stored order."""

    logits: npt.NDArray[np.float16]
    """(N, classes); of one label an image, the largest of each image is 0."""
    labels: npt.NDArray[np.int64] | npt.NDArray[np.uint8]
    """Class indices (N,), or multi-hot (N, classes)."""
    split: str
    data_digest: str
    sha256: str
    """Of logits, labels, split, data digest and task."""
    task: Kind = USUAL

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """Which images are answered wholly rightly."""
        return hits(self.task, self.logits, self.labels)


def save_predictions(
    path: Path, logits: Logits, labels: Labels, *, split: str, data_digest: str, task: Kind = USUAL
) -> Path:
    """Store logits (N, classes) as float16 with their labels; written beside and renamed. Returns the path.

    Of one label an image, the largest logit is taken from all of the image's first, which changes no probability:
    around 0 float16 is fine enough to keep the order at the top. Independent logits stay as they are, their signs too,
    for a shift would change their probabilities. So hits from the file are hits from the net.
    """
    if task == CLASSIFICATION:
        stored, targets = np.maximum(shifted(logits), FLOOR).astype(np.float16), labels.astype(np.int64)
    else:
        stored, targets = _signed(logits), labels.astype(np.uint8)
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with beside.open("wb") as file:
            np.savez(
                file,
                logits=stored,
                labels=targets,
                split=np.asarray(split),
                data_digest=np.asarray(data_digest),
                task=np.asarray(task.name),
                sha256=np.asarray(_digest(stored, targets, split, data_digest, task)),
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
                task=kind_of(str(file["task"])) if "task" in file else USUAL,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StateError(f"{path}: the stored predictions cannot be read ({error}); retrain the finalist") from None
    if found.sha256 != _digest(found.logits, found.labels, found.split, found.data_digest, found.task):
        raise StateError(f"{path}: the stored predictions are not what was written; retrain the finalist")
    return found


def _signed(logits: Logits) -> npt.NDArray[np.float16]:
    """Logits in the range of float16; what is above 0 stays above it, and what is not stays there."""
    stored = np.clip(logits, FLOOR, -FLOOR).astype(np.float16)
    return np.where((logits > 0) & (stored == 0), LEAST, stored)


def _digest(
    logits: npt.NDArray[np.float16], labels: npt.NDArray[np.generic], split: str, data_digest: str, task: Kind
) -> str:
    """Hash of everything that a file of predictions says; the usual task is not named, as in older files."""
    about = f"{split}\n{data_digest}\n{logits.shape}\n{'' if task == USUAL else task.name}".encode()
    return hashlib.sha256(about + logits.tobytes() + labels.tobytes()).hexdigest()
