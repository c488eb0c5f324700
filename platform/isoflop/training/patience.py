"""Early stopping: what a training looks back on when it has not got better for long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

WATCHED = "val_loss"
"""What should become smaller."""


class Patience:
    """The best report so far, its numbers and its weights, and how many reports came after it.

    With a limit of 0 nothing is kept and it never ends.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.metrics: dict[str, float] = {}
        """Of the best report."""
        self.best = math.inf
        self.waited = 0
        """Reports after the best one."""
        self.stopped: int | None = None
        """The steps after which the training was stopped, none while it goes on."""
        self._weights: dict[str, Any] = {}

    def report(self, step: int, metrics: Mapping[str, float], net: nn.Module) -> None:
        """Look at a report after so many steps, made with a net's weights.

        Where it ends the training, the net gets those of the best report back.
        """
        if not self.limit:
            return
        if metrics[WATCHED] < self.best:
            self.best, self.waited, self.metrics = metrics[WATCHED], 0, dict(metrics)
            self._weights = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
        else:
            self.waited += 1
        if self.waited == self.limit:
            net.load_state_dict(self._weights)
            self.stopped, self._weights = step, {}

    def state_dict(self) -> dict[str, Any]:
        """The best report, its weights, and what came after it."""
        return {
            "metrics": self.metrics,
            "best": self.best,
            "waited": self.waited,
            "stopped": self.stopped,
            "weights": self._weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on waiting."""
        self.metrics, self.best, self.waited = state["metrics"], state["best"], state["waited"]
        self.stopped, self._weights = state["stopped"], state["weights"]
