"""One training: the one place where shape, model, data and training meet."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from isoflop.config import TrialConfig
from isoflop.crashpoints import crash
from isoflop.data import PreparedData, open_prepared
from isoflop.data.batches import Batches
from isoflop.data.resident import resident
from isoflop.disk import draft, refusals
from isoflop.errors import DataError, Fault, UnknownError
from isoflop.evaluation.metrics import metrics_of
from isoflop.evaluation.predictions import save_predictions
from isoflop.home import Home
from isoflop.joblog import JobLog, forget_warnings
from isoflop.length import Length
from isoflop.models import Net, build, cost
from isoflop.models.latency import fastest, measure_latency
from isoflop.models.net import LAYOUT
from isoflop.records import Artifact, Job, Record
from isoflop.seeds import derive
from isoflop.training import checkpoint
from isoflop.training.fit import Fit, outputs
from isoflop.training.memory import Exhaustion, Meter
from isoflop.training.task import Classification


def run_trial(
    config: TrialConfig,
    seed: int,
    *,
    data: Path | None = None,
    checkpoints: Path | None = None,
    weights: Path | None = None,
    device: torch.device | None = None,
    flops: float | None = None,
) -> TrialRun:
    """Train a configuration: an iterator of `Record`, one at each report up to the horizon.

    Equal configuration and seed give bit-identical metrics on the CPU, also when a training is dropped after any
    report and goes on from its checkpoint. `data` is the folder of the prepared set and `weights` the file of the
    pretrained weights, by default those of their names in the state folder; where `checkpoints` holds a whole
    checkpoint of this configuration and seed the training goes on from it. `flops` are those of one image's forward
    pass; without them they are counted. Torch's number of threads is set to the configuration's. Raises `DataError`,
    `UnknownError` where there are no such weights, `SpecError` for an illegal shape or one that they do not fit,
    `TrialError` for a horizon shorter than its reports, `ExhaustedError` where memory runs out, and while iterating
    `DivergedError`.
    """
    return TrialRun(config, seed, data=data, checkpoints=checkpoints, weights=weights, device=device, flops=flops)


class TrialRun(Iterator[Record]):
    """A training under way."""

    def __init__(
        self,
        config: TrialConfig,
        seed: int,
        *,
        data: Path | None,
        checkpoints: Path | None,
        weights: Path | None,
        device: torch.device | None,
        flops: float | None,
    ) -> None:
        torch.set_num_threads(config.train.threads)
        self.config, self.seed = config, seed
        self.device = device or fastest()
        self.checkpoints = checkpoints
        self.prepared = open_for(config, data)
        with Exhaustion(self.device, lambda: "before the first step"):
            splits = {name: resident(self.prepared, name, self.device) for name in ("train", "val")}
            length = Length.of(
                config.train,
                images=len(splits["train"][1]),
                flops=self._counted() if flops is None else flops,
            )
            self._meter = Meter(self.device)  # what counting imports and the data set takes belong to no training
            self.net = build_net(config, self.prepared, seed, weights).to(self.device).to(memory_format=LAYOUT)
            self.fit = self._fit(length)
            self._go_on()
        self._records = iter(self.fit)

    def __iter__(self) -> Self:
        """Itself: the records that are still to come."""
        return self

    def __next__(self) -> Record:
        """Train up to the next report. Raises `DivergedError`, or `ExhaustedError` where memory runs out."""
        with self._spared():
            record = next(self._records)
        return replace(record, measured={**record.measured, "memory": self._meter.peak()})

    def finish(self, folder: Path) -> Sequence[Artifact]:
        """Leave the weights with their configuration, and the logits on validation, in a folder.

        Raises `StateError` where the disk refuses, `ExhaustedError` where memory runs out.
        """
        with self._spared():
            logits, labels = predict_split(self.net, self.prepared, "val", self.device, size=self.fit.piece)
        weights = save_weights(folder / "weights.safetensors", self.net, self.config, self.seed, self.prepared)
        path = folder / "val_predictions.npz"
        with refusals(path):
            predictions = save_predictions(path, logits, labels, split="val", data_digest=self.prepared.digest)
            return [_artifact("weights", weights), _artifact("val_predictions", predictions)]

    @property
    def step(self) -> int:
        """Steps done."""
        return self.fit.step

    def save(self, report: int) -> Path:
        """Write a checkpoint after a report. Raises `StateError` where the disk refuses; the older ones stand then."""
        assert self.checkpoints is not None, "a training without a folder for checkpoints cannot be saved"
        return checkpoint.save(self.checkpoints, report, self.fit.state_dict(), owner=self._owner)

    @property
    def _owner(self) -> str:
        """Whose checkpoints it goes on from: one that began again with a smaller micro-batch is another."""
        return f"{self.config.model_dump_json()}/{self.seed}"

    @contextmanager
    def _spared(self) -> Iterator[None]:
        """Running out of memory ends the training, not the worker: what it held is given back."""
        with Exhaustion(self.device, lambda: f"after step {self.step}", drop=self.fit.drop):
            yield

    def _go_on(self) -> None:
        """Take up the newest checkpoint, if there is one."""
        if self.checkpoints is not None:
            state = checkpoint.load(self.checkpoints, self.device, owner=self._owner)
            if state is not None:
                self.fit.load_state_dict(state)

    def _counted(self) -> int:
        return cost(self.config.model, image=self.prepared.shape, classes=len(self.prepared.classes)).flops

    def _fit(self, length: Length) -> Fit:
        config = self.config
        train, val = (batches(self.prepared, name, self.net, self.device) for name in ("train", "val"))
        return Fit(
            self.net, Classification(config.loss), train=train, val=val, config=config, length=length, seed=self.seed
        )


class JobTraining:
    """A job's training, as an executor runs it. What it prints, how far it is and how it fails stands in its log."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.config = TrialConfig.from_params(job.config)
        self.log = JobLog(Path(job.log) if job.log else None)
        self._run: TrialRun | None = None

    def __next__(self) -> Record:
        """Train up to the next report."""
        with self.log.capture():
            record = next(self.begin())
        self.log.note(_said(record))
        return record

    def save(self, report: int) -> object:
        """Write a checkpoint after a report."""
        with self.log.capture():
            return self.begin().save(report)

    def finish(self) -> Sequence[Artifact]:
        """Leave weights and predictions where the job asks for them."""
        with self.log.capture():
            artifacts = self.begin().finish(Path(self.job.artifacts)) if self.job.artifacts else []
        self.log.note("finished")
        crash("artifacts.before_end")
        return artifacts

    def latency(self) -> Mapping[str, Any]:
        """Measure a forward pass of the job's model, with the threads that it trains with."""
        with self.log.capture():
            prepared = open_for(self.config, Path(self.job.data))
            found = measure_latency(
                self.config.model,
                image=prepared.shape,
                classes=len(prepared.classes),
                batch=self.job.batch,
                passes=self.job.passes,
                threads=self.config.train.threads,
            )
        self.log.note(str(found))
        return found.to_dict()

    def begin(self) -> TrialRun:
        """The training, begun or gone on with when it is first asked for."""
        if self._run is None:
            self.log.note(f"begin with seed {self.job.seed}")
            crash("trial.start")
            self._run = run_trial(
                self.config,
                self.job.seed,
                data=Path(self.job.data),
                checkpoints=Path(self.job.checkpoints),
                weights=Path(self.job.weights) if self.job.weights else None,
                flops=self.job.flops,
            )
            if self._run.step:
                self.log.note(f"go on after step {self._run.step}")
                crash("trial.resume")
        return self._run


def open_job(job: Job) -> JobTraining:
    """Begin a job's training, or go on from its newest checkpoint; where it asks for its latency, only get ready."""
    training = JobTraining(job)
    with training.log.capture():
        forget_warnings()
        if not job.measure:
            training.begin()
    return training


def _said(record: Record) -> str:
    """A record in a line."""
    numbers = {**record.metrics, "seconds": record.measured.get("seconds", 0.0)}
    values = " ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return f"report {record.report}, step {record.step}: {values}"


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
    return net.to(device or fastest()).to(memory_format=LAYOUT).eval(), facts


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
    logits, labels = predict_split(net, prepared, "test", next(net.parameters()).device, size=facts.config.train.piece)
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


def build_net(config: TrialConfig, prepared: PreparedData, seed: int, weights: Path | None = None) -> Net:
    """The net of a configuration as its training begins: frozen where it is to be.

    Its weights are those that the seed draws, over them the pretrained ones of a file, by default the one of the
    configuration's name in the state folder.
    """
    net = build(config.model, image=prepared.shape, classes=len(prepared.classes), seed=derive(seed, "weights") % 2**31)
    if config.model.weights:
        from isoflop.models.pretrained.load import load  # it brings all of timm, which most trainings need not

        load(net, weights or Home.find().weights_file(config.model.weights), config.model.weights)
    if config.train.freeze:
        net.freeze()
    return net


def batches(prepared: PreparedData, split: str, net: Net, device: torch.device) -> Batches:
    """A split of a prepared set as a net sees it."""
    images, labels = resident(prepared, split, device)
    return Batches(images, labels, mean=prepared.mean, std=prepared.std, resolution=net.shape.resolution, device=device)


def predict_split(
    net: Net, prepared: PreparedData, split: str, device: torch.device, *, size: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Logits (N, classes) and labels (N,) of a split, in its stored order, so many images going through at once."""
    found, targets = outputs(net, batches(prepared, split, net, device), size)
    return found.numpy(), targets.numpy()


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


def _artifact(kind: str, path: Path) -> Artifact:
    return Artifact(kind=kind, path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
