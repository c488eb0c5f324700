"""One training: the one place where shape, model, data and training meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import torch

from isoflop.config import TEACHER, WEIGHTS, TrialConfig
from isoflop.data import PreparedData
from isoflop.data.batches import Batches
from isoflop.data.feed import Feed
from isoflop.data.portion import POOL
from isoflop.data.sampling import order_of
from isoflop.errors import Fault, SpecError, TrialError
from isoflop.home import Home
from isoflop.length import Length
from isoflop.models import Net, build, cost
from isoflop.models.cost import side_of
from isoflop.models.latency import fastest
from isoflop.models.net import LAYOUT
from isoflop.records import Artifact, Record
from isoflop.seeds import derive
from isoflop.tasks import CLASSIFICATION, VAL
from isoflop.teacher import load_teacher
from isoflop.trained import batches, leave, open_for
from isoflop.training import checkpoint
from isoflop.training.adversary import Adversarial, Attack, Pixels
from isoflop.training.distillation import Distilled
from isoflop.training.fit import Fit
from isoflop.training.fused.fit import Fused, Place
from isoflop.training.memory import Exhaustion, Meter
from isoflop.training.objective import Objective, Supervised
from isoflop.training.observation import Observation
from isoflop.training.parallel import ALONE, Ranks
from isoflop.training.recompute import recompute
from isoflop.training.split import Split
from isoflop.training.task import TASKS, Task
from isoflop.training.team import Run, Team
from isoflop.weights import About, forward_flops, leak


def run_trial(
    config: TrialConfig,
    seed: int,
    *,
    data: Path | None = None,
    checkpoints: Path | None = None,
    weights: Mapping[str, Path] | None = None,
    device: torch.device | None = None,
    flops: float | None = None,
    observe: bool = False,
    asked: Collection[str] = (),
) -> Run:
    """Train a configuration: an iterator of `Record`, one at each report up to the horizon.

    Equal configuration and seed give bit-identical metrics on the CPU, also when a training is dropped after any
    report and goes on from its checkpoint. `data` is the folder of the prepared set and `weights` the files of the
    weights that the configuration names, by default those of their names in the state folder; where `checkpoints` holds
    a whole checkpoint of this configuration and seed the training goes on from it. `flops` are those of one image's
    forward pass; without them they are counted. `asked` names metrics, such as `val_auroc`, that every report has
    beside those that cost little; the last has them all. With `observe` each record also has what the last step showed
    of the net, which changes no other number. Torch's number of threads is set to the configuration's. With several
    devices processes of its own train it, so a script must call this under `if __name__ == "__main__"`.

    Raises `DataError`, `UnknownError` where there are no such weights, `SpecError` for an illegal shape or one that
    they do not fit, `TrialError` for a horizon shorter than its reports, `ExhaustedError` where memory runs out, and
    while iterating `DivergedError`, or `LostError` where a process of it is lost.
    """
    given = Given(data=data, checkpoints=checkpoints, weights=weights or {}, flops=flops, asked=asked)
    opened = partial(TrialRun, config, seed, given, observe=observe)
    if config.train.devices > 1:
        return Team(opened, count=config.train.devices, device=device or fastest())
    return opened(device=device)


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a training is given beside its configuration and seed; `run_trial` says what each is."""

    data: Path | None = None
    checkpoints: Path | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)
    flops: float | None = None
    asked: Collection[str] = ()


class Kept(Protocol):
    """The loop of a training, whose state can be saved."""

    @property
    def step(self) -> int:
        """Steps done."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Its whole state."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        ...

    def drop(self) -> None:
        """Let go of what only a training that goes on needs."""
        ...


class Making(ABC):
    """What a configuration's training is made of, and how it is kept while it is under way."""

    fit: Kept
    net: Net
    """What batches are made for."""

    def __init__(self, config: TrialConfig, seed: int, given: Given, *, device: torch.device | None = None) -> None:
        torch.set_num_threads(config.train.threads)
        self.config, self.seed, self.given = config, seed, given
        self.device = device or fastest()
        if config.train.precision == "fp16" and self.device.type == "cpu":
            what = "fp16 trains on a GPU alone: the CPU computes it many times slower than float32"
            raise SpecError(
                Fault("train.precision", what, "give float32, or bf16 where the CPU has instructions for it")
            )
        self.prepared = open_for(config, given.data)
        with Exhaustion(self.device, lambda: "before the first step"):
            self.feeds = {name: Feed.of(self.prepared, name, config.data, self.device) for name in POOL}
            length = self._length(self._counted() if given.flops is None else given.flops)
            self._meter = Meter(self.device)  # what counting imports and the data set takes belong to no training
            self._make(length)
            self._go_on()

    @abstractmethod
    def _make(self, length: Length) -> None:
        """Make `net` and `fit`."""

    @property
    def step(self) -> int:
        """Steps done."""
        return self.fit.step

    def save(self, report: int) -> Path:
        """Write a checkpoint after a report. Raises `StateError` where the disk refuses; the older ones stand then."""
        folder = self.given.checkpoints
        assert folder is not None, "a training without a folder for checkpoints cannot be saved"
        return checkpoint.save(folder, report, self.fit.state_dict(), owner=self._owner)

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
        if self.given.checkpoints is not None:
            state = checkpoint.load(self.given.checkpoints, self.device, owner=self._owner)
            if state is not None:
                self.fit.load_state_dict(state)

    def _counted(self, share: float = 1.0) -> int:
        """FLOPs of one image's forward pass, at a share of the model's resolution."""
        image, classes = self.prepared.shape, self.prepared.outputs
        return cost(self.config.model, image=image, classes=classes, share=share).flops

    def _length(self, flops: float) -> Length:
        images, name = len(self.feeds["train"].portion), self.config.distill.teacher
        teachers = {name: forward_flops(self._file(name))} if name else {}
        length = Length.of_trial(self.config, images=images, flops=flops, flops_at=self._counted, teachers=teachers)
        if length.batch % self.config.train.devices:
            devices = self.config.train.devices
            raise TrialError(f"{length.batch} images, all there are, cannot be cut for {devices} devices")
        return length

    def _begun(self, config: TrialConfig, seed: int) -> Net:
        """The net of a configuration and a seed as it begins."""
        name = config.model.weights
        return build_net(config, self.prepared, seed, self._stored(WEIGHTS, name) if name else None)

    def _file(self, name: str) -> Path:
        """Where weights of a name stand."""
        return self.given.weights.get(name) or Home.find().weights_file(name)

    def _stored(self, key: str, name: str) -> Path:
        """The same of those that a key names. Raises `SpecError` where they know images that validate or test here."""
        path, request = self._file(name), self.prepared.manifest.origin()["request"]
        about, folded = About.read(path), bool(self.config.data.folds)
        if fault := leak(about, name, key, digest=self.prepared.digest, request=request, folded=folded):
            raise SpecError(fault)
        return path

    def _objective(self, task: Task) -> Objective:
        """What a step makes smaller: the task's loss, a teacher's beside it, on images that are attacked first."""
        config = self.config
        plain: Objective = Supervised(task)
        objective = plain
        if config.distill.teacher:
            name = config.distill.teacher
            if self.prepared.task is not CLASSIFICATION:
                what = f"{name} teaches one class an image, and {self.prepared.name} has several"
                raise SpecError(Fault(TEACHER, what, "leave it out"))
            teacher = load_teacher(self._stored(TEACHER, name), name, self.prepared, self.device)
            objective = Distilled(task, teacher, config.distill)
        if config.adversary.turns:
            attack = Attack(config.adversary, Pixels(self.prepared.mean, self.prepared.std, self.device))
            objective = Adversarial(objective, attack, against=plain, share=config.adversary.share)
        return objective

    def _task(self) -> Task:
        build_task, labels = TASKS[self.prepared.task.name], self.feeds["train"].labels
        asked = frozenset(name.removeprefix(VAL) for name in self.given.asked)
        return build_task(self.config.loss, labels, classes=len(self.prepared.classes), asked=asked)

    def _train(self, length: Length) -> Batches:
        """The training images, in the configuration's order and at its resolutions."""
        feed, difficulties = self.feeds["train"], Home.find().difficulties
        order = order_of(self.prepared, feed, self.config, steps=length.steps, difficulties=difficulties)
        sides = sides_of(self.config, self.net)
        return batches(
            self.prepared, feed, self.net, self.device, order=order, sides=lambda step: sides[length.stage(step)]
        )

    def _val(self) -> Batches:
        return batches(self.prepared, self.feeds["val"], self.net, self.device)

    def _seen(self, found: Batches) -> Split:
        """A split as the training sees it."""
        return found

    def _fused(
        self, nets: Sequence[Net], configs: Sequence[TrialConfig], seeds: Sequence[int], length: Length
    ) -> Fused:
        """Several trainings as one program, their nets being on its device."""
        task = self._task()
        return Fused(
            nets,
            task,
            objective=self._objective(task),
            trains=[self._train(length) for _ in nets],
            val=self._val(),
            configs=configs,
            length=length,
            seeds=seeds,
        )


class TrialRun(Making, Iterator[Record]):
    """A training under way in this process; with `ranks`, this process's part of it."""

    fit: Fit | Place

    def __init__(
        self,
        config: TrialConfig,
        seed: int,
        given: Given,
        *,
        device: torch.device | None = None,
        observe: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self.observe, self.ranks = observe, ranks
        super().__init__(config, seed, given, device=device)
        self._records = iter(self.fit)

    def __iter__(self) -> Self:
        """Itself: the records that are still to come."""
        return self

    def __next__(self) -> Record:
        """Train up to the next report. Raises `DivergedError`, or `ExhaustedError` where memory runs out."""
        with self._spared():
            record = next(self._records)
        return replace(record, measured={**record.measured, "memory": self._meter.peak()})

    def finish(self, folder: Path, *, weights: bool = True) -> Sequence[Artifact]:
        """Leave in a folder the weights with their configuration where wanted, and the logits on validation.

        The logits are those that the last report was made of. Raises `StateError` where the disk refuses,
        `ExhaustedError` where memory runs out.
        """
        with self._spared():
            answers = self.fit.answered()
        if self.ranks.place:
            return []  # the first process has it all
        net, config = self.fit.answering, self.config
        return leave(folder, net, answers, config=config, seed=self.seed, prepared=self.prepared, weights=weights)

    def _make(self, length: Length) -> None:
        self.net = self._net().to(self.device).to(memory_format=LAYOUT)
        if self.config.train.checkpointing:
            recompute(self.net.body.units())
        self.fit = self._place(length) if self.config.fused.members > 1 else self._fit(length)

    def _net(self) -> Net:
        return self._begun(self.config, self.seed)

    def _place(self, length: Length) -> Place:
        """The program again, with this training at all its places: no member's numbers depend on who the others are."""
        members, place = self.config.fused.members, self.config.fused.place
        fused = self._fused([self.net] * members, [self.config] * members, [self.seed] * members, length)
        return Place(fused, place, self.net)

    def _fit(self, length: Length) -> Fit:
        task = self._task()
        return Fit(
            self.net,
            task,
            objective=self._objective(task),
            train=self._seen(self._train(length)),
            val=self._seen(self._val()),
            config=self.config,
            length=length,
            seed=self.seed,
            observation=Observation(self.net) if self.observe and not self.ranks.place else None,
            ranks=self.ranks,
        )


def sides_of(config: TrialConfig, net: Net) -> list[int]:
    """Pixels of a side of the images of each stage of a training; the model's resolution where there are none."""
    return [side_of(net, config.model, share) for _, share in config.resize.plan()] or [net.shape.resolution]


def build_net(config: TrialConfig, prepared: PreparedData, seed: int, weights: Path | None = None) -> Net:
    """The net of a configuration as its training begins: frozen where it is to be.

    Its weights are those that the seed draws, over them those of a file, by default the one of the configuration's name
    in the state folder.
    """
    net = build(config.model, image=prepared.shape, classes=prepared.outputs, seed=derive(seed, "weights") % 2**31)
    if config.model.weights:
        from isoflop.models.pretrained.load import load  # it brings all of timm, which most trainings need not

        file = weights or Home.find().weights_file(config.model.weights)
        load(net, file, config.model, labels=prepared.classes)
    if config.train.freeze:
        net.freeze()
    return net
