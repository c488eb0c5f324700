"""A finalist as a folder of plain files: `config.json`, `model.safetensors`, `labels.json` and `preprocessing.json`.

Nothing in it is pickled, and its safetensors file is the one that the training left, byte for byte.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from isoflop.config import TrialConfig
from isoflop.disk import refusals
from isoflop.errors import DataError, Fault, UnknownError
from isoflop.inference import Model, with_weights
from isoflop.tasks import kind_of
from isoflop.trained import Facts, left

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
LABELS: Final = "labels.json"
PREPROCESSING: Final = "preprocessing.json"
FINALIST: Final = "finalist"
"""What the folder is called among the artifacts of an MLflow model."""
STEPS: Final = (
    "decode the file, turn it as EXIF says, lay what is transparent on white, make it grey (1 channel) or RGB (3)",
    "cut out the largest centred square and resize it to height x width: bicubic, antialiased",
    "of each channel, take away 255 mean and divide by 255 std, by 0.001 at least",
    "resize to resolution x resolution where it is not that: bilinear, antialiased, corners not aligned",
)
"""From an image file to what the net sees."""


def pack(folder: Path, artifacts: Path) -> Facts:
    """Write the model that a finished training left in `artifacts` into a folder. Raises as `trained.left` does."""
    weights, facts, seed = left(artifacts)
    channels, height, width = facts.image
    net = with_weights(weights, facts, torch.device("cpu")).net
    with refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifacts / "weights.safetensors", folder / WEIGHTS)
        _write(folder / CONFIG, {"config": facts.config.model_dump(mode="json"), "seed": seed, "task": facts.task.name})
        _write(folder / LABELS, facts.classes)
        sides = {"channels": channels, "height": height, "width": width, "resolution": net.shape.resolution}
        _write(folder / PREPROCESSING, {**sides, "mean": facts.mean, "std": facts.std, "steps": STEPS})
    return facts


def unpack(folder: Path, device: torch.device | None = None) -> Model:
    """The model in a folder that `pack` wrote, or in the MLflow model around it.

    By default it stands on the first GPU, else on the CPU. Raises `UnknownError` where there is none, and `DataError`
    where a file is missing or torn.
    """
    place = folder / "artifacts" / FINALIST if (folder / "MLmodel").is_file() else folder
    if not (place / CONFIG).is_file():
        what = f"is no folder of a finalist: it has no {CONFIG}"
        raise UnknownError(Fault(str(folder), what, "give the folder of a model that isoflop register logged"))
    try:
        return with_weights(load_file(place / WEIGHTS), _facts(place), device)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        what = f"is torn ({str(error).splitlines()[0]})"
        raise DataError(Fault(str(place), what, "fetch it again, or log it anew: isoflop register RUN")) from None


def _facts(place: Path) -> Facts:
    config, labels, seen = (_read(place / name) for name in (CONFIG, LABELS, PREPROCESSING))
    return Facts(
        config=TrialConfig.model_validate(config["config"]),
        image=(seen["channels"], seen["height"], seen["width"]),
        classes=tuple(labels),
        mean=tuple(seen["mean"]),
        std=tuple(seen["std"]),
        task=kind_of(config["task"]),
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
