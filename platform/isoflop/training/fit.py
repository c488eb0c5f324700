"""The loop: an iterator of records whose state can be saved at any of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from isoflop.config import AugmentConfig, TrialConfig
from isoflop.errors import DivergedError
from isoflop.length import Length
from isoflop.records import Record
from isoflop.seeds import derive
from isoflop.training.objective import Objective
from isoflop.training.observation import Observation
from isoflop.training.optimizer import build_optimizer
from isoflop.training.schedule import rate
from isoflop.training.task import Task

WATCH = 32
"""Steps between two looks at the losses: each look waits for the device."""


class Split(Protocol):
    """Images and targets of one split."""

    def pieces(
        self, step: int, *, size: int, piece: int, seed: int, config: AugmentConfig
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training batch of a step, in pieces of so many images; the last may be smaller."""
        ...

    def all(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once, in order."""
        ...


class Fit:
    """One training. Iterating it yields a record at each report until the horizon.

    All randomness is a function of seed and step, and the learning rate of the step, so weights, optimizer and the
    number of steps are its whole state. Raises `DivergedError` where a loss or a metric stops being finite.

    With `train.micro_batch` a batch goes through the net in pieces, one after another, and the gradient is that of the
    mean loss over the whole batch. Images, their order and their augmentation are those of the whole batch. A net that
    treats each image by itself (layer norm, no dropout) comes to the same step up to rounding; batch norm sees pieces,
    and dropout draws piece by piece.

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
    ) -> None:
        self.net, self.task, self.objective, self.train, self.val = net, task, objective, train, val
        self.config, self.length, self.seed = config, length, seed
        self.observation = observation
        self.optimizer = build_optimizer(net, config.optim)
        self.piece = config.train.piece
        self.device = next(net.parameters()).device
        self.step = 0
        self.answers: tuple[Tensor, Tensor] | None = None
        """Outputs and targets on validation at the last report, once it was made."""

    def __iter__(self) -> Iterator[Record]:
        """The records that are still to come."""
        for report, end in enumerate(self.length.reports, start=1):
            if end > self.step:
                yield self._report(report, end)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimizer and steps done."""
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def drop(self) -> None:
        """Let go of gradients and of what the optimizer keeps; the training cannot go on after that."""
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()

    def outputs(self, split: Split) -> tuple[Tensor, Tensor]:
        """Outputs and targets of a whole split, in order, on the CPU."""
        return outputs(self.net, split, self.piece)

    def _report(self, report: int, end: int) -> Record:
        began, first = time.perf_counter(), self.step
        loss = self.advance(end)
        trained = time.perf_counter()
        answers = self.outputs(self.val)
        self.answers = answers if end == self.length.steps else None
        found = self.task.metrics(*answers, last=end == self.length.steps)
        metrics = {"train_loss": loss} | {f"val_{name}": value for name, value in found.items()}
        metrics["lr"] = rate(end - 1, self.length.steps, self.config.optim.lr, self.config.schedule)
        images = (end - first) * self.length.batch
        record = Record(
            report=report,
            step=end,
            epoch=end / self.length.epoch,
            images=end * self.length.batch,
            flops=self.length.spent(end),
            fidelity=self.length.fidelity(end),
            metrics=metrics,
            observed=self.observation.numbers() if self.observation else {},
            measured={
                "seconds": time.perf_counter() - began,
                "images_per_second": images / max(trained - began, 1e-9),
            },
        )
        if not record.finite:
            raise DivergedError(end, next(name for name in metrics if metrics[name] - metrics[name] != 0))
        return record

    def advance(self, end: int) -> float:
        """Train up to a step; the mean loss on the way."""
        self.net.train()
        losses: list[Tensor] = []
        watched = 0
        first = self.step
        while self.step < end:
            observed = self.observation if self.step == end - 1 else None
            losses.append(self._train_step(self.step, observed))
            self.step += 1
            if len(losses) - watched == WATCH or self.step == end:
                _watch(losses[watched:], first + watched)
                watched = len(losses)
        return torch.stack(losses).mean(dtype=torch.float64).item()

    def _train_step(self, step: int, observed: Observation | None) -> Tensor:
        self._seed(derive(self.seed, "step", step))
        learning_rate = rate(step, self.length.steps, self.config.optim.lr, self.config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        pieces = self.train.pieces(
            step, size=self.length.batch, piece=self.piece, seed=self.seed, config=self.config.augment
        )
        with observed.forward() if observed else nullcontext():
            loss = torch.stack([self._learn(images, targets) for images, targets in pieces]).sum()
        if observed:
            observed.gradients()
        if self.config.optim.clip:
            clip_grad_norm_(self.net.parameters(), self.config.optim.clip)
        self.optimizer.step()
        return loss

    def _seed(self, seed: int) -> None:
        """Seed what dropout and drop-path draw from: the device's global generator.

        `torch.manual_seed` seeds those of all kinds of devices and notes from where, half a millisecond a step.
        """
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _learn(self, images: Tensor, targets: Tensor) -> Tensor:
        """Add a piece's part of the gradient; its part of the batch's mean loss."""
        loss = self.objective(self.net, images, targets) * (len(targets) / self.length.batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def outputs(net: nn.Module, split: Split, size: int) -> tuple[Tensor, Tensor]:
    """A net's outputs (N, ...) on a whole split and its targets, in order, on the CPU.

    So many images go through at once. With those of a training step it takes a fifth to two thirds of the memory of
    such a step (twelve nets on the CPU), and from 32 images on no larger batch was faster there.
    """
    net.eval()
    with torch.inference_mode():
        pairs = [(net(images).cpu(), targets.cpu()) for images, targets in split.all(size)]
    found, targets = zip(*pairs, strict=True)
    return torch.cat(found), torch.cat(targets)


def _watch(losses: list[Tensor], first: int) -> None:
    """Raise where one of these steps' losses is not finite, naming the step (counted from 1)."""
    bad = torch.nonzero(~torch.isfinite(torch.stack(losses)))
    if len(bad):
        raise DivergedError(first + int(bad[0]) + 1, "train_loss")
