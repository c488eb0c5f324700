"""The loop: an iterator of records whose state can be saved at any of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from isoflop.config import TrialConfig
from isoflop.length import Length
from isoflop.records import Record
from isoflop.seeds import derive
from isoflop.training.average import build_average
from isoflop.training.objective import Objective
from isoflop.training.observation import Observation
from isoflop.training.optimizers import build_optimizer, release, set_rate
from isoflop.training.optimizers.clip import clip
from isoflop.training.parallel import ALONE, Pairs, Ranks
from isoflop.training.patience import WATCHED, Patience
from isoflop.training.precision import Precision, cast
from isoflop.training.report import record_of
from isoflop.training.schedule import rate
from isoflop.training.split import Split
from isoflop.training.task import Task
from isoflop.training.watch import Watch, whole

ESTIMATED = 4096
"""Images at most that statistics of batch norms are estimated on for averaged weights."""


class Stateful(Protocol):
    """A part of a training that keeps something from step to step."""

    def state_dict(self) -> dict[str, Any]:
        """What it keeps."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with what was kept."""
        ...


class Fit:
    """One training. Iterating it yields a record at each report until the horizon.

    All randomness is a function of seed and step, so weights, optimizer, the number of steps, and what its parts keep
    are its whole state. Raises `DivergedError` where a loss, a gradient or a metric stops being finite.

    With `train.micro_batch` a batch goes through the net in pieces, one after another, and the gradient is that of the
    mean loss over the whole batch. Images, their order and their augmentation are those of the whole batch. A net that
    treats each image by itself (layer norm, no dropout) comes to the same step up to rounding; batch norm sees pieces,
    and dropout draws piece by piece. With several `ranks` it is one of several processes, each with its part of every
    batch (`training/parallel.py`).

    An `observation` looks at the last step before each report.
    """

    def __init__(
        self,
        net: nn.Module,
        task: Task,
        *,
        objective: Objective,
        train: Split,
        val: Split,
        config: TrialConfig,
        length: Length,
        seed: int,
        observation: Observation | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.net, self.task, self.ranks = net, task, ranks
        self.train, self.val = ranks.cut(train), ranks.cut(val)
        self.config, self.length, self.seed = config, length, seed
        self.observation = observation
        self.optimizer = build_optimizer(net, config.optim)
        self.piece = config.train.piece
        self.device = next(net.parameters()).device
        self.precision = Precision(config.train.precision, self.device)
        self.average = build_average(net, config.average, length)
        self.patience = Patience(config.train.patience)
        self.watch = Watch(skips=self.precision.skips, mean=ranks.mean)
        self.losses: list[float] = []
        """On validation, of the reports so far."""
        self.answers: tuple[Tensor, Tensor] | None = None
        """Outputs and targets on validation at the last report, once it was made."""
        self.step = 0
        self._learned = [parameter for parameter in net.parameters() if parameter.requires_grad]
        called: nn.Module = torch.compile(net) if config.train.compile else net  # type: ignore[assignment]
        self.loss = ranks.loss(called, objective, length.batch // ranks.count)

    def __iter__(self) -> Iterator[Record]:
        """The records that are still to come."""
        for report, end in enumerate(self.length.reports, start=1):
            if end > self.step:
                yield self._report(report, end) if self.patience.stopped is None else self._repeat(report, end)

    @property
    def answering(self) -> nn.Module:
        """The net that reports are made with, and whose weights are the training's: the averaged one if there is."""
        return self.average.net if self.average is not None and self.average.begun else self.net

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer, steps done, and what else a training keeps."""
        state = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}
        state |= {"losses": [*self.losses]}
        return state | {name: part.state_dict() for name, part in self._parts()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.losses = state["step"], [*state["losses"]]
        for name, part in self._parts():
            part.load_state_dict(state[name])

    def drop(self) -> None:
        """Let go of gradients and of what the optimizer keeps; the training cannot go on after that."""
        release(self.optimizer)

    def outputs(self, split: Split) -> tuple[Tensor, Tensor]:
        """Outputs and targets of a whole split, in order, on the CPU."""
        self.ranks.settle(self.answering)
        pairs = answers(self.answering, split, self.piece, precision=self.precision.name)
        return joined(self.ranks.gather(pairs))

    def answered(self) -> tuple[Tensor, Tensor]:
        """Outputs and targets on validation as the last report has them; found again where it was cut off."""
        return self.answers or self.outputs(self.val)

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        return rate(step, self.length.steps, self.config.optim.lr, self.config.schedule, self.losses)

    def _parts(self) -> Iterable[tuple[str, Stateful]]:
        parts = {"precision": self.precision, "average": self.average, "patience": self.patience, "watch": self.watch}
        return ((name, part) for name, part in parts.items() if part is not None)

    def _report(self, report: int, end: int) -> Record:
        began, first = time.perf_counter(), self.step
        metrics = {"train_loss": self.advance(end)}
        trained = time.perf_counter()
        metrics |= {f"val_{name}": value for name, value in self._validated(last=end == self.length.steps).items()}
        metrics["lr"] = self.rate(end - 1)
        if self.precision.skips:
            metrics["skipped"] = float(self.watch.skipped)
        images = (end - first) * self.length.batch
        measured = {
            "seconds": time.perf_counter() - began,
            "images_per_second": images / max(trained - began, 1e-9),
        }
        observed = self.observation.numbers() if self.observation else {}
        record = record_of(self.length, report, metrics=metrics, measured=measured, observed=observed)
        self.losses.append(metrics[WATCHED])
        if end < self.length.steps:
            self.patience.report(end, metrics, self.answering)
        return record

    def _repeat(self, report: int, end: int) -> Record:
        """The best report again, at a later place of the axis: no step was taken since the training was stopped."""
        self.step = end
        metrics, taken = self.patience.metrics, self.patience.stopped
        return record_of(self.length, report, metrics=metrics, measured={"stopped": 1.0}, taken=taken)

    def advance(self, end: int) -> float:
        """Train up to a step; the mean loss on the way."""
        self.net.train()
        while self.step < end:
            self._train_step(self.step, self.observation if self.step == end - 1 else None)
            self.step += 1
        self.watch.look(end)
        return self.watch.mean()

    def _train_step(self, step: int, observed: Observation | None) -> None:
        seed_device(self.device, derive(self.seed, "step", step, *self.ranks.place))
        set_rate(self.optimizer, self.rate(step))
        self.optimizer.zero_grad(set_to_none=True)
        with observed.forward() if observed else nullcontext():
            loss = torch.stack([self._learn(images, targets) for images, targets in self._pieces(step)]).sum()
        self.precision.unscale(self.optimizer)
        if observed:
            observed.gradients()
        self.watch.note(step + 1, loss, whole(self._learned))
        clip(self.net, self.config.optim)
        self.precision.step(self.optimizer)
        if self.average is not None:
            self.average.update(step + 1)

    def _pieces(self, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batch of a step."""
        return self.train.pieces(
            step, size=self.length.batch, piece=self.piece, seed=self.seed, config=self.config.augment
        )

    def _validated(self, *, last: bool) -> dict[str, float]:
        """The task's metrics on validation."""
        if self.average is not None and self.average.estimates:
            seed_device(self.device, derive(self.seed, "average", self.step, *self.ranks.place))
            first = max(0, self.step - -(-ESTIMATED // self.length.batch))
            with self.precision.cast():
                self.average.estimate(pair for step in range(first, self.step) for pair in self._pieces(step))
        found = self.outputs(self.val)
        self.answers = found if last else None
        return self.task.metrics(*found, last=last)

    def _learn(self, images: Tensor, targets: Tensor) -> Tensor:
        """Add a piece's part of the gradient; its part of the batch's mean loss, which is that over all ranks."""
        with self.precision.cast():
            loss = self.loss(images, targets) * (len(targets) * self.ranks.count / self.length.batch)
        self.precision.backward(loss)
        return loss.detach()


def seed_device(device: torch.device, seed: int) -> None:
    """Seed what dropout and drop-path draw from: the device's global generator.

    `torch.manual_seed` seeds those of all kinds of devices and notes from where, half a millisecond a step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def outputs(net: nn.Module, split: Split, size: int, *, precision: str = "float32") -> tuple[Tensor, Tensor]:
    """A net's outputs (N, ...) on a whole split and its targets, in order, on the CPU.

    So many images go through at once. With those of a training step it takes a fifth to two thirds of the memory of
    such a step (twelve nets on the CPU), and from 32 images on no larger batch was faster there.
    """
    return joined(answers(net, split, size, precision=precision))


def answers(net: nn.Module, split: Split, size: int, *, precision: str) -> Pairs:
    """A net's outputs and targets piece by piece, on the CPU."""
    net.eval()
    with torch.inference_mode(), cast(precision, next(net.parameters()).device):
        return [(net(images).float().cpu(), targets.cpu()) for images, targets in split.all(size)]


def joined(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Outputs and targets of all pieces."""
    found, targets = zip(*pairs, strict=True)
    return torch.cat(found), torch.cat(targets)
