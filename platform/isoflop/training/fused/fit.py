"""The loop of a fused program: at each report, what every member says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from isoflop.config import TrialConfig, unlike
from isoflop.errors import DivergedError, SpecError
from isoflop.length import Length
from isoflop.records import Record
from isoflop.seeds import derive
from isoflop.training.fit import seed_device
from isoflop.training.fused.stack import Stack
from isoflop.training.fused.update import UPDATES
from isoflop.training.objective import Objective
from isoflop.training.report import record_of
from isoflop.training.schedule import rate
from isoflop.training.split import Split
from isoflop.training.task import Task
from isoflop.training.watch import STEPS

Said: TypeAlias = Record | DivergedError
"""What a member says at a report."""


class Fused:
    """Several trainings as one program. Iterating it yields what all of them say at each report until the horizon.

    A member that diverges says so at that report and at each later one; the others go on, for no number of theirs
    depends on it. Its whole state is that of all members: it goes on bit for bit from a checkpoint, and a program with
    as many members repeats a member at its place bit for bit, whatever the others are. Raises `SpecError` where
    configurations differ in what members cannot differ in, `TrialError` for a net that cannot be fused.
    """

    def __init__(
        self,
        nets: Sequence[nn.Module],
        task: Task,
        *,
        objective: Objective,
        trains: Sequence[Split],
        val: Split,
        configs: Sequence[TrialConfig],
        length: Length,
        seeds: Sequence[int],
    ) -> None:
        if faults := list(unlike([config.params() for config in configs])):
            raise SpecError(*faults)
        self.stack, self.task, self.objective = Stack(nets), task, objective
        self.trains, self.val, self.configs, self.seeds = trains, val, configs, seeds
        self.length, self.piece = length, configs[0].train.piece
        self.device = self.stack.weights.device
        self.update = UPDATES[configs[0].optim.name](
            [config.optim for config in configs], self.stack.weights, self.stack.decayed
        )
        self.step = 0
        self.diverged: dict[int, tuple[int, str]] = {}
        """At which step, and by what, of members by their place."""
        self.answers: tuple[Tensor, Tensor] | None = None
        """Outputs (members, N, ...) and targets on validation at the last report, once it was made."""
        self._gradients: list[Tensor] = []

    def __iter__(self) -> Iterator[tuple[Said, ...]]:
        """The reports that are still to come."""
        for report, end in enumerate(self.length.reports, start=1):
            if end > self.step:
                yield self._report(report, end)

    def state_dict(self) -> dict[str, Any]:
        """Weights, what the optimizer keeps, who diverged, and steps done."""
        return {
            "stack": self.stack.state_dict(),
            "update": self.update.state_dict(),
            "diverged": dict(self.diverged),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.stack.load_state_dict(state["stack"])
        self.update.load_state_dict(state["update"])
        self.diverged = dict(state["diverged"])
        self.step = state["step"]

    def drop(self) -> None:
        """Let go of gradients and of what the optimizer keeps; the program cannot go on after that."""
        self.stack.weights.grad = None
        self.update.state.clear()

    def advance(self, end: int) -> list[float]:
        """Train up to a step; each member's mean loss on the way."""
        losses: list[Tensor] = []
        watched, first = 0, self.step
        while self.step < end:
            losses.append(self._train_step(self.step))
            self.step += 1
            if len(losses) - watched == STEPS or self.step == end:
                self._watch(torch.stack(losses[watched:]), first + watched)
                watched = len(losses)
        means: list[float] = torch.stack(losses).mean(0, dtype=torch.float64).tolist()
        return means

    def outputs(self) -> tuple[Tensor, Tensor]:
        """Outputs (members, N, ...) and targets of the whole validation split, in order, on the CPU."""
        pairs = [
            (self.stack.outputs(images).float().cpu(), targets.cpu()) for images, targets in self.val.all(self.piece)
        ]
        found, targets = zip(*pairs, strict=True)
        return torch.cat(found, 1), torch.cat(targets)

    def answered(self, place: int) -> tuple[Tensor, Tensor]:
        """A member's outputs and targets on validation as the last report has them; found again where it was cut."""
        if self.answers is None:
            self.answers = self.outputs()
        found, targets = self.answers
        return found[place], targets

    def _report(self, report: int, end: int) -> tuple[Said, ...]:
        began, first = time.perf_counter(), self.step
        losses = self.advance(end)
        trained = time.perf_counter()
        outputs, targets = self.outputs()
        last = end == self.length.steps
        self.answers = (outputs, targets) if last else None
        images = (end - first) * self.length.batch
        measured = {
            "seconds": time.perf_counter() - began,
            "images_per_second": images / max(trained - began, 1e-9),
        }
        said: list[Said] = []
        for place, (loss, found, lr) in enumerate(zip(losses, outputs, self._rates(end - 1), strict=True)):
            if place in self.diverged:
                said.append(DivergedError(*self.diverged[place]))
                continue
            metrics = self.task.metrics(found, targets, last=last)
            values = {"train_loss": loss} | {f"val_{name}": value for name, value in metrics.items()} | {"lr": lr}
            said.append(self._say(report, place, values, measured))
        return tuple(said)

    def _say(self, report: int, place: int, metrics: dict[str, float], measured: dict[str, float]) -> Said:
        try:
            return record_of(self.length, report, metrics=metrics, measured=measured)
        except DivergedError as error:
            self.diverged[place] = (error.step, error.what)
            return error

    def _train_step(self, step: int) -> Tensor:
        seed_device(self.device, derive(self.configs[0].fused.seed, "step", step))
        self.stack.weights.grad = torch.zeros_like(self.stack.weights)
        losses = torch.stack([self._learn(images, targets) for images, targets in self._pieces(step)]).sum(0)
        self._gradients.append(self.stack.weights.grad.sum(1))
        self.update.step(self.stack.weights, self.stack.weights.grad, self._rates(step))
        return losses

    def _learn(self, images: Tensor, targets: Tensor) -> Tensor:
        """Add a piece's part of the gradients; its part (members,) of the batches' mean losses."""
        losses = self.stack.losses(self.objective, images, targets) * (targets.shape[1] / self.length.batch)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        return losses.detach()

    def _pieces(self, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Each member's own batch of a step in pieces: images (members, N, ...) and targets (members, N, ...)."""
        each = [
            train.pieces(step, size=self.length.batch, piece=self.piece, seed=seed, config=config.augment)
            for train, seed, config in zip(self.trains, self.seeds, self.configs, strict=True)
        ]
        for pieces in zip(*each, strict=True):
            images, targets = zip(*pieces, strict=True)
            yield torch.stack(images), torch.stack(targets)

    def _rates(self, step: int) -> list[float]:
        return [rate(step, self.length.steps, config.optim.lr, config.schedule) for config in self.configs]

    def _watch(self, losses: Tensor, first: int) -> None:
        """Note whose losses (steps, members), or gradients since, are not finite, and from which step on, from 1."""
        finite = torch.isfinite(torch.stack([losses, torch.stack(self._gradients)])).tolist()
        self._gradients = []
        for step, (loss, gradient) in enumerate(zip(*finite, strict=True), first + 1):
            for place, (good, sound) in enumerate(zip(loss, gradient, strict=True)):
                if not (good and sound):
                    self.diverged.setdefault(place, (step, "gradient" if good else "train_loss"))


class Place:
    """One member of a fused program as a training of its own: iterating it yields the member's records.

    `answering` has the member's weights as of the last report. Raises `DivergedError` where the member does.
    """

    def __init__(self, fused: Fused, place: int, net: nn.Module) -> None:
        self.fused, self.place, self.answering = fused, place, net
        self.piece, self.length = fused.piece, fused.length
        self.train, self.val = fused.trains[place], fused.val

    def __iter__(self) -> Iterator[Record]:
        """The records that are still to come."""
        for said in self.fused:
            mine = said[self.place]
            if isinstance(mine, DivergedError):
                raise mine
            self.fused.stack.write(self.place, self.answering)
            yield mine

    @property
    def step(self) -> int:
        """Steps done."""
        return self.fused.step

    def answered(self) -> tuple[Tensor, Tensor]:
        """Outputs and targets on validation as the last report has them."""
        return self.fused.answered(self.place)

    def advance(self, end: int) -> float:
        """Train up to a step; the member's mean loss on the way."""
        return self.fused.advance(end)[self.place]

    def state_dict(self) -> dict[str, Any]:
        """That of the whole program."""
        return self.fused.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.fused.load_state_dict(state)
        self.fused.stack.write(self.place, self.answering)

    def drop(self) -> None:
        """Let go of what only a training that goes on needs."""
        self.fused.drop()
