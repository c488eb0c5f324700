"""The numbers that a training computes in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

KINDS: Mapping[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


def cast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """A context in which products and convolutions are computed in a precision."""
    kind = KINDS.get(precision)
    return nullcontext() if kind is None else torch.autocast(device.type, kind)


class Precision:
    """How losses go back, and steps are taken, in a precision.

    With `fp16` the loss is scaled, so that small gradients are not lost, by as much as goes without an overflow: the
    scale halves at each step whose gradient is not finite, which is left out, and doubles after 2,000 good ones
    (Micikevicius et al. 2018, arXiv 1710.03740).
    """

    def __init__(self, name: str, device: torch.device) -> None:
        self.name, self.device = name, device
        self.scaler = GradScaler(device.type) if name == "fp16" else None

    @property
    def skips(self) -> bool:
        """Whether a step without a finite gradient is left out."""
        return self.scaler is not None

    def cast(self) -> AbstractContextManager[Any]:
        """The context for forward passes and losses."""
        return cast(self.name, self.device)

    def backward(self, loss: Tensor) -> None:
        """Add a loss's part of the gradient."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: Optimizer) -> None:
        """Make the gradient that has been gathered the loss's own."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Take a step, or leave it out."""
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The scale, if there is one."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the scale of `state_dict`."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state)
