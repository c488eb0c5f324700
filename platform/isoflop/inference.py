"""A net with what it needs to read images: logits, probabilities and classes of arrays and of image files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isoflop.data.images import decode, fit, quiet, read_image
from isoflop.data.source import UnreadableError
from isoflop.errors import DataError, Fault
from isoflop.models import Net, build
from isoflop.models.latency import fastest
from isoflop.models.net import LAYOUT
from isoflop.tasks import CLASSIFICATION
from isoflop.trained import Facts, normalize


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
        size = self.facts.config.train.piece
        with torch.inference_mode():
            found = [self.net(normalize(part, self.facts, self.net)).cpu().numpy() for part in _pieces(images, size)]
        return np.concatenate(found) if found else np.empty((0, self._outputs), np.float32)

    @property
    def _outputs(self) -> int:
        return self.facts.task.outputs(len(self.classes))

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64] | npt.NDArray[np.bool_]:
        """Class indices (N,) of uint8 images (N, C, H, W); of several labels an image, which it has (N, classes)."""
        logits = self.logits(images)
        return np.asarray(logits.argmax(1), np.int64) if self.facts.task is CLASSIFICATION else np.asarray(logits > 0)

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Of each class (N, classes); of one label an image they sum to 1, of several each stands for itself."""
        return self.chances(self.logits(images))

    def chances(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The probabilities that logits (N, classes) stand for."""
        values = torch.from_numpy(logits).double()
        found: npt.NDArray[np.float64]
        found = (values.softmax(1) if self.facts.task is CLASSIFICATION else values.sigmoid()).numpy()
        return found

    def read(self, files: Sequence[bytes]) -> npt.NDArray[np.uint8]:
        """Encoded images as the training data were prepared: uint8 (N, C, H, W).

        Raises `DataError` with the place of one that cannot be read.
        """
        channels, height, width = self.facts.image
        found = np.empty((len(files), channels, height, width), np.uint8)
        for place, data in enumerate(files):
            try:
                with quiet():
                    found[place] = fit(decode(data), resolution=height, channels=channels)
            except UnreadableError as error:
                remedy = "give the bytes of an image file"
                raise DataError(Fault(f"image {place}", error.reason, remedy)) from None
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


def _pieces(images: npt.NDArray[np.uint8], size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """As many images at once as the training evaluated with: another number would change last bits."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def with_weights(weights: Mapping[str, torch.Tensor], facts: Facts, device: torch.device | None = None) -> Model:
    """A model of weights by name and what is needed to use them, by default on the first GPU, else on the CPU.

    Raises `DataError` where the weights are not those of such a net.
    """
    net = build(facts.config.model, image=facts.image, classes=facts.task.outputs(len(facts.classes)), seed=0)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        what = f"are not those of its configuration ({str(error).splitlines()[-1].strip()})"
        raise DataError(Fault("weights", what, "log the finalist anew: isoflop register RUN")) from None
    return Model(net.to(device or fastest()).to(memory_format=LAYOUT).eval(), facts)
