"""One training: the one place where shape, model, data and training meet."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from isoflop.config import TrialConfig
from isoflop.data import PreparedData, open_prepared
from isoflop.data.batches import Batches
from isoflop.errors import DataError, Fault, UnknownError
from isoflop.evaluation.metrics import metrics_of
from isoflop.evaluation.predictions import save_predictions
from isoflop.home import Home
from isoflop.length import Length
from isoflop.models import Net, build, cost
from isoflop.records import Artifact, Job, Record
from isoflop.seeds import derive
from isoflop.training import checkpoint
from isoflop.training.fit import Fit, outputs
from isoflop.training.task import Classification

LAYOUT = torch.channels_last
"""Of weights and images: what convolutions are fastest in, on the CPU too. Sums are ordered by it."""


def run_trial(
    config: TrialConfig,
    seed: int,
    *,
    data: Path | None = None,
    checkpoints: Path | None = None,
    device: torch.device | None = None,
) -> TrialRun:
    """Train a configuration: an iterator of `Record`, one at each report up to the horizon.

    Equal configuration and seed give bit-identical metrics on the CPU, also when a training is dropped after any
    report and goes on from its checkpoint. `data` is the folder of the prepared set, by default the one of that name
    in the state folder; where `checkpoints` holds a whole checkpoint the training goes on from it. Torch's number of
    threads is set to the configuration's. Raises `DataError`, `SpecError` for an illegal shape, `TrialError` for a
    horizon shorter than its reports, and while iterating `DivergedError`.
    """
    return TrialRun(config, seed, data=data, checkpoints=checkpoints, device=device)


class TrialRun(Iterator[Record]):
    """A training under way."""

    def __init__(
        self,
        config: TrialConfig,
        seed: int,
        *,
        data: Path | None,
        checkpoints: Path | None,
        device: torch.device | None,
    ) -> None:
        torch.set_num_threads(config.train.threads)
        self.config, self.seed = config, seed
        self.device = device or best_device()
        self.prepared = open_for(config, data)
        self.net = build_net(config, self.prepared, seed).to(self.device).to(memory_format=LAYOUT)
        self.fit = self._fit()
        self.checkpoints = checkpoints
        state = checkpoint.load(checkpoints, self.device) if checkpoints else None
        if state is not None:
            self.fit.load_state_dict(state)
        self._records = iter(self.fit)

    def __iter__(self) -> Self:
        """Itself: the records that are still to come."""
        return self

    def __next__(self) -> Record:
        """Train up to the next report."""
        return next(self._records)

    def finish(self, folder: Path) -> Sequence[Artifact]:
        """Leave the weights with their configuration, and the logits on validation, in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = save_weights(folder / "weights.safetensors", self.net, self.config, self.seed, self.prepared)
        logits, labels = predict_split(self.net, self.prepared, "val", self.device)
        predictions = save_predictions(
            folder / "val_predictions.npz", logits, labels, split="val", data_digest=self.prepared.digest
        )
        return [_artifact("weights", weights), _artifact("val_predictions", predictions)]

    @property
    def step(self) -> int:
        """Steps done."""
        return self.fit.step

    def save(self, report: int) -> Path:
        """Write a checkpoint after a report."""
        assert self.checkpoints is not None, "a training without a folder for checkpoints cannot be saved"
        return checkpoint.save(self.checkpoints, report, self.fit.state_dict())

    def _fit(self) -> Fit:
        config, images = self.config, len(self.prepared.split("train")[1])
        found = cost(config.model, image=self.prepared.shape, classes=len(self.prepared.classes))
        length = Length.of(config.train, images=images, flops=found.flops)
        train, val = (batches(self.prepared, name, self.net, self.device) for name in ("train", "val"))
        return Fit(
            self.net, Classification(config.loss), train=train, val=val, config=config, length=length, seed=self.seed
        )


@dataclass(frozen=True, slots=True)
class JobTraining:
    """A job's training, as an executor runs it."""

    job: Job
    run: TrialRun

    def __next__(self) -> Record:
        """Train up to the next report."""
        return next(self.run)

    def save(self, report: int) -> object:
        """Write a checkpoint after a report."""
        return self.run.save(report)

    def finish(self) -> Sequence[Artifact]:
        """Leave weights and predictions where the job asks for them."""
        return self.run.finish(Path(self.job.artifacts)) if self.job.artifacts else []


def open_job(job: Job) -> JobTraining:
    """Begin a job's training, or go on from its newest checkpoint."""
    config = TrialConfig.from_params(job.config)
    run = run_trial(config, job.seed, data=Path(job.data), checkpoints=Path(job.checkpoints))
    return JobTraining(job, run)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What stands beside a finished training's weights: all that is needed to use them."""

    config: TrialConfig
    image: tuple[int, int, int]
    """Channels, height and width as stored."""
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def header(self, seed: int) -> dict[str, str]:
        """As the header of a safetensors file."""
        lists = {"image": self.image, "classes": self.classes, "mean": self.mean, "std": self.std}
        return {
            "config": self.config.model_dump_json(),
            "seed": str(seed),
            **{name: json.dumps(values) for name, values in lists.items()},
        }

    @classmethod
    def read(cls, header: Mapping[str, str]) -> Self:
        """What `header` wrote."""
        lists = {name: tuple(json.loads(header[name])) for name in ("image", "classes", "mean", "std")}
        return cls(config=TrialConfig.model_validate_json(header["config"]), **lists)


def load_net(folder: Path, device: torch.device | None = None) -> tuple[Net, Facts]:
    """The net of a finished training from the weights that it left in a folder. Raises `UnknownError` without any."""
    path = folder / "weights.safetensors"
    if not path.is_file():
        raise UnknownError(Fault(str(folder), "holds no weights", "retrain: isoflop finalists STUDY"))
    with safe_open(path, framework="pt") as file:
        facts = Facts.read(file.metadata())
    net = build(facts.config.model, image=facts.image, classes=len(facts.classes), seed=0)
    net.load_state_dict(load_file(path))
    return net.to(device or best_device()).to(memory_format=LAYOUT).eval(), facts


def normalize(images: npt.NDArray[np.uint8], facts: Facts, net: Net) -> torch.Tensor:
    """Stored images (N, C, H, W) uint8 as a net sees them, on its device."""
    labels = np.zeros(len(images), np.int64)
    device = next(net.parameters()).device
    split = Batches(images, labels, mean=facts.mean, std=facts.std, resolution=net.shape.resolution, device=device)
    return split.normalized(split.images)


def evaluate_test(folder: Path, data: Path) -> tuple[dict[str, float], Artifact]:
    """Open the test set for a finished training: its metrics there, and the file of its logits."""
    net, facts = load_net(folder)
    torch.set_num_threads(facts.config.train.threads)
    prepared = open_for(facts.config, data)
    logits, labels = predict_split(net, prepared, "test", next(net.parameters()).device)
    stored = save_predictions(
        folder / "test_predictions.npz", logits, labels, split="test", data_digest=prepared.digest
    )
    metrics = {f"test_{name}": value for name, value in metrics_of(logits, labels).items()}
    return metrics, _artifact("test_predictions", stored)


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


def build_net(config: TrialConfig, prepared: PreparedData, seed: int) -> Net:
    """The net of a configuration, with the weights that the seed draws."""
    return build(
        config.model, image=prepared.shape, classes=len(prepared.classes), seed=derive(seed, "weights") % 2**31
    )


def batches(prepared: PreparedData, split: str, net: Net, device: torch.device) -> Batches:
    """A split of a prepared set as a net sees it."""
    images, labels = prepared.split(split)
    return Batches(images, labels, mean=prepared.mean, std=prepared.std, resolution=net.shape.resolution, device=device)


def predict_split(
    net: Net, prepared: PreparedData, split: str, device: torch.device
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Logits (N, classes) and labels (N,) of a split, in its stored order."""
    found, targets = outputs(net, batches(prepared, split, net, device))
    return found.numpy(), targets.numpy()


def save_weights(path: Path, net: Net, config: TrialConfig, seed: int, prepared: PreparedData) -> Path:
    """Weights as safetensors, with the configuration and what is needed to use them in its header."""
    facts = Facts(
        config=config,
        image=prepared.shape,
        classes=tuple(prepared.classes),
        mean=tuple(prepared.mean),
        std=tuple(prepared.std),
    )
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    save_file({name: t.contiguous() for name, t in net.state_dict().items()}, beside, metadata=facts.header(seed))
    beside.replace(path)
    return path


def _artifact(kind: str, path: Path) -> Artifact:
    return Artifact(kind=kind, path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def best_device() -> torch.device:
    """The first GPU that this process may use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
