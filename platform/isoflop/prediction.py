"""Use a finalist: logits and classes for images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isoflop.data.images import read_image
from isoflop.errors import DataError, Fault
from isoflop.home import Home
from isoflop.journal.sqlite import SqliteJournal
from isoflop.models import Net
from isoflop.outcome import key_of, known
from isoflop.tasks import CLASSIFICATION
from isoflop.tracking.store import Store
from isoflop.trained import Facts, load_net, normalize


@dataclass(frozen=True, slots=True)
class Model:
    """A finished model with what it needs to read images."""

    net: Net
    facts: Facts

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes, in the order of the logits."""
        return self.facts.classes

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits (N, classes) of uint8 images (N, C, H, W) as the prepared set stores them.

        Raises `DataError` where their shape is another than that of the training data.
        """
        if images.ndim != 4 or images.shape[1:] != self.facts.image:
            wanted = ", ".join(map(str, self.facts.image))
            remedy = "resize them, or use predict_files"
            raise DataError(Fault("images", f"have shape {images.shape}, the model wants (N, {wanted})", remedy))
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = self.net(normalize(images, self.facts, self.net)).cpu().numpy()
        return found

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64] | npt.NDArray[np.bool_]:
        """Class indices (N,) of uint8 images (N, C, H, W); of several labels an image, which it has (N, classes)."""
        logits = self.logits(images)
        return np.asarray(logits.argmax(1), np.int64) if self.facts.task is CLASSIFICATION else np.asarray(logits > 0)

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Of each class (N, classes); of one label an image they sum to 1, of several each stands for itself."""
        logits = torch.from_numpy(self.logits(images)).double()
        found: npt.NDArray[np.float64]
        found = (logits.softmax(1) if self.facts.task is CLASSIFICATION else logits.sigmoid()).numpy()
        return found

    def predict_files(self, images: Sequence[Path], *, top: int = 3) -> list[dict[str, Any]]:
        """For each file its likeliest classes, best first. Raises `DataError` for unreadable files."""
        channels, height, _ = self.facts.image
        pixels = np.stack([read_image(path, resolution=height, channels=channels) for path in images])
        rows = torch.from_numpy(self.probabilities(pixels)).sort(1, descending=True)
        return [
            {
                "image": str(path),
                "classes": [
                    {"class": self.classes[int(index)], "probability": float(value)}
                    for value, index in zip(values[:top], indices[:top], strict=True)
                ],
            }
            for path, values, indices in zip(images, rows.values, rows.indices, strict=True)
        ]


def load_model(run: str, *, home: Path | None = None) -> Model:
    """The model of a leaderboard row, `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`; of several seeds, the first.

    Raises `UnknownError` where there is no such run or it left no weights.
    """
    place = Home(home.absolute()) if home else Home.find()
    study, key = key_of(run)
    known(study, Store(SqliteJournal.open_readonly(place.journal), place.path))
    net, facts = load_net(place.artifacts(study, key))
    return Model(net, facts)
