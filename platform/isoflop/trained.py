"""What a finished training leaves, and what is done with it: weights, predictions."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from isoflop.config import AdversaryConfig, DataConfig, LossConfig, TrialConfig
from isoflop.data import PreparedData, open_prepared
from isoflop.data.batches import Batches
from isoflop.data.feed import Feed
from isoflop.data.order import Order
from isoflop.disk import draft, refusals
from isoflop.errors import DataError, Fault, UnknownError
from isoflop.evaluation.measure import measure
from isoflop.evaluation.predictions import load_predictions, save_predictions
from isoflop.evaluation.report import report_of
from isoflop.home import Home
from isoflop.models import Net, build
from isoflop.models.latency import fastest
from isoflop.models.net import LAYOUT
from isoflop.records import Artifact
from isoflop.seeds import derive
from isoflop.tasks import TEST, USUAL, Kind, kind_of
from isoflop.training.adversary import Attack, Pixels, whole
from isoflop.training.fit import outputs
from isoflop.training.objective import Supervised
from isoflop.training.task import TASKS


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What stands beside a finished training's weights: all that is needed to use them."""

    config: TrialConfig
    image: tuple[int, int, int]
    """Channels, height and width as stored."""
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    task: Kind = USUAL

    def header(self, seed: int) -> dict[str, str]:
        """As the header of a safetensors file."""
        lists = {"image": self.image, "classes": self.classes, "mean": self.mean, "std": self.std}
        return {
            "config": self.config.model_dump_json(),
            "seed": str(seed),
            "task": self.task.name,
            **{name: json.dumps(values) for name, values in lists.items()},
        }

    @classmethod
    def read(cls, header: Mapping[str, str]) -> Self:
        """What `header` wrote."""
        lists = {name: tuple(json.loads(header[name])) for name in ("image", "classes", "mean", "std")}
        task = kind_of(header.get("task", USUAL.name))
        return cls(config=TrialConfig.model_validate_json(header["config"]), task=task, **lists)


def load_net(folder: Path, device: torch.device | None = None) -> tuple[Net, Facts]:
    """The net of a finished training from the weights that it left in a folder. Raises as `left` does."""
    weights, facts, _ = left(folder)
    net = build(facts.config.model, image=facts.image, classes=facts.task.outputs(len(facts.classes)), seed=0)
    net.load_state_dict(weights)
    return net.to(device or fastest()).to(memory_format=LAYOUT).eval(), facts


def left(folder: Path) -> tuple[dict[str, torch.Tensor], Facts, int]:
    """The weights that a finished training left in a folder, their facts, and its seed.

    Raises `UnknownError` without any, and `DataError` where the file is torn.
    """
    path = folder / "weights.safetensors"
    if not path.is_file():
        raise UnknownError(Fault(str(folder), "holds no weights", "retrain: isoflop finalists STUDY"))
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
        return load_file(path), Facts.read(header), int(header["seed"])
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise DataError(
            Fault(str(path), "is torn or no training left it", "retrain: isoflop finalists STUDY")
        ) from None


def normalize(images: npt.NDArray[np.uint8], facts: Facts, net: Net) -> torch.Tensor:
    """Stored images (N, C, H, W) uint8 as a net sees them, on its device."""
    labels = np.zeros(len(images), np.int64)
    device = next(net.parameters()).device
    split = Batches(images, labels, mean=facts.mean, std=facts.std, resolution=net.shape.resolution, device=device)
    return split.normalized(split.images[:])


def evaluate_test(folder: Path, data: Path) -> tuple[dict[str, float], Sequence[Artifact]]:
    """Open the test set for a finished training: its metrics there, and the files of its logits and its report."""
    net, facts = load_net(folder)
    torch.set_num_threads(facts.config.train.threads)
    prepared = open_for(facts.config, data)
    train, device = facts.config.train, next(net.parameters()).device
    logits, labels = predict_split(net, prepared, "test", device, size=train.piece, precision=train.precision)
    metrics = {TEST + name: value for name, value in measure(prepared.task, logits, labels).items()}
    return metrics, save_answers(folder, logits, labels, split="test", prepared=prepared)


def save_answers(
    folder: Path,
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    *,
    split: str,
    prepared: PreparedData,
    words: str = "",
) -> Sequence[Artifact]:
    """Leave a split's logits in a folder, and the report that is made of them as they are stored.

    `words` say which images these are, where they are not all of the split. Raises `StateError` where the disk refuses.
    """
    path = folder / f"{split}_predictions.npz"
    with refusals(path):
        folder.mkdir(parents=True, exist_ok=True)
        save_predictions(path, logits, labels, split=words or split, data_digest=prepared.digest, task=prepared.task)
    report = report_of(load_predictions(path), prepared.classes)
    with draft(folder, f"{split}_report.json") as beside:
        beside.path.write_text(json.dumps(report), encoding="utf-8")
        told = beside.publish(folder / f"{split}_report.json")
    return [artifact(f"{split}_predictions", path), artifact(f"{split}_report", told)]


def save_weights(path: Path, net: Net, config: TrialConfig, seed: int, prepared: PreparedData) -> Path:
    """Weights as safetensors, with the configuration and what is needed to use them in its header.

    Raises `StateError` where the disk refuses.
    """
    facts = Facts(
        config=config,
        image=prepared.shape,
        classes=tuple(prepared.classes),
        mean=tuple(prepared.mean),
        std=tuple(prepared.std),
        task=prepared.task,
    )
    with draft(path.parent, path.name) as beside:
        try:
            save_file(
                {name: t.contiguous() for name, t in net.state_dict().items()}, beside.path, metadata=facts.header(seed)
            )
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(*(int(number[1]), os.strerror(int(number[1]))) if number else (0, str(error))) from None
        return beside.publish(path)


def leave(
    folder: Path,
    net: nn.Module,
    answers: tuple[torch.Tensor, torch.Tensor],
    *,
    config: TrialConfig,
    seed: int,
    prepared: PreparedData,
    weights: bool = True,
) -> Sequence[Artifact]:
    """Leave in a folder a finished training's weights with their configuration, where wanted, and its answers.

    `answers` are outputs and targets on validation. Raises `StateError` where the disk refuses.
    """
    kept = []
    if weights:
        assert isinstance(net, Net)
        kept.append(artifact("weights", save_weights(folder / "weights.safetensors", net, config, seed, prepared)))
    logits, labels = answers[0].float().numpy(), answers[1].numpy()
    words = config.data.validation
    return [*kept, *save_answers(folder, logits, labels, split="val", words=words, prepared=prepared)]


def open_for(config: TrialConfig, data: Path | None = None) -> PreparedData:
    """The prepared set of a configuration. Raises `DataError` where its digest is another than the configuration's."""
    prepared = open_prepared(data or Home.find().data_set(config.data.name))
    if config.data.digest and prepared.digest != config.data.digest:
        raise DataError(
            Fault(
                f"data set {config.data.name}",
                f"has digest {prepared.digest}, the configuration wants {config.data.digest}",
                "prepare the data that the configuration was made for",
            )
        )
    return prepared


def batches(
    prepared: PreparedData,
    feed: Feed,
    net: Net,
    device: torch.device,
    *,
    order: Order | None = None,
    sides: Callable[[int], int] | None = None,
) -> Batches:
    """A split as a net sees it."""
    return Batches(
        feed.images,
        feed.labels,
        mean=prepared.mean,
        std=prepared.std,
        resolution=net.shape.resolution,
        device=device,
        classes=len(prepared.classes),
        order=order,
        sides=sides,
    )


def predict_split(
    net: Net,
    prepared: PreparedData,
    split: str,
    device: torch.device,
    *,
    size: int,
    precision: str = "float32",
    data: DataConfig | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.integer]]:
    """Logits (N, classes) and labels of a split, in its stored order, so many images going through at once.

    Of a configuration's data its fold counts, and for the training split its fraction; by default it is as prepared.
    """
    feed = Feed.of(prepared, split, data or DataConfig(name=prepared.name), device)
    found, targets = outputs(net, batches(prepared, feed, net, device), size, precision=precision)
    return found.numpy(), targets.numpy()


def predict_attacked(
    net: Net,
    prepared: PreparedData,
    split: str,
    device: torch.device,
    *,
    size: int,
    adversary: AdversaryConfig,
    seed: int = 0,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """What `predict_split` gives, of images that were each attacked first; the starts are drawn from the seed.

    The attack knows the net's weights and raises the cross-entropy of the true label.
    """
    images = batches(prepared, Feed.of(prepared, split, DataConfig(name=prepared.name), device), net, device)
    attack = Attack(adversary, Pixels(prepared.mean, prepared.std, device))
    against = Supervised(TASKS[prepared.task.name](LossConfig()))
    found, targets = [], []
    net.eval()
    for place, (clean, labels) in enumerate(images.all(size)):
        generator = torch.Generator(device).manual_seed(derive(seed, "attack", place))
        moved = attack(whole(against, net, labels), clean, generator)
        with torch.inference_mode():
            found.append(net(moved).cpu())
        targets.append(labels.cpu())
    return torch.cat(found).numpy(), torch.cat(targets).numpy()


def artifact(kind: str, path: Path) -> Artifact:
    """A file with its hash."""
    return Artifact(kind=kind, path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
