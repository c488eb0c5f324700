"""Optimizers of many nets at once, each with rates of its own.

Torch's take one rate for a tensor, so their formulas stand here, on weights (members, parameters) and settings
(members, 1). Tests hold them against torch's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from isoflop.config import OptimConfig

EPS = 1e-8
"""What torch's AdamW adds to its denominator."""


class Update:
    """What an optimizer does with a gradient. Settings are those of each member."""

    def __init__(self, configs: Sequence[OptimConfig], like: Tensor, decayed: Tensor) -> None:
        self.steps = 0
        self.like, self.state = like, dict[str, Tensor]()
        self.momentum = self._each([config.momentum for config in configs])
        self.decay = self._each([config.weight_decay for config in configs]) * decayed
        self.clip = self._each([config.clip for config in configs])

    @torch.no_grad()
    def step(self, weights: Tensor, gradient: Tensor, rates: Sequence[float]) -> None:
        """Change the weights by the gradient, which is changed too."""
        self.steps += 1
        if bool((self.clip > 0).any()):
            self._limit(gradient)
        self.change(weights, gradient, self._each(rates))

    @abstractmethod
    def change(self, weights: Tensor, gradient: Tensor, rates: Tensor) -> None:
        """One step of the formula."""

    def state_dict(self) -> dict[str, Any]:
        """What it keeps between steps."""
        return {"steps": self.steps, "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.steps, self.state = state["steps"], dict(state["state"])

    def kept(self, name: str) -> Tensor:
        """A tensor like the weights that is kept between steps, 0 at first."""
        if name not in self.state:
            self.state[name] = torch.zeros_like(self.like)
        return self.state[name]

    def _each(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.like.dtype, device=self.like.device)[:, None]

    def _limit(self, gradient: Tensor) -> None:
        """Scale each member's gradient down to its largest norm, as `clip_grad_norm_` does; 0 means no limit."""
        norms = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        scale = (self.clip / (norms + 1e-6)).clamp(max=1.0)
        gradient.mul_(torch.where(self.clip > 0, scale, 1.0))


class Descent(Update):
    """Stochastic gradient descent with momentum, Nesterov's form too (Sutskever et al. 2013)."""

    def __init__(self, configs: Sequence[OptimConfig], like: Tensor, decayed: Tensor) -> None:
        super().__init__(configs, like, decayed)
        self.nesterov = configs[0].nesterov

    def change(self, weights: Tensor, gradient: Tensor, rates: Tensor) -> None:
        """As `torch.optim.SGD` does it."""
        gradient.addcmul_(weights, self.decay)
        velocity = self.kept("velocity").mul_(self.momentum).add_(gradient)
        change = gradient.addcmul_(velocity, self.momentum) if self.nesterov else velocity
        weights.addcmul_(change, -rates)


class DecoupledAdam(Update):
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2)."""

    def __init__(self, configs: Sequence[OptimConfig], like: Tensor, decayed: Tensor) -> None:
        super().__init__(configs, like, decayed)
        self.beta2 = self._each([config.beta2 for config in configs])

    def change(self, weights: Tensor, gradient: Tensor, rates: Tensor) -> None:
        """As `torch.optim.AdamW` does it."""
        weights.mul_(1 - rates * self.decay)
        mean = self.kept("mean").lerp_(gradient, 1 - self.momentum)
        square = self.kept("square").mul_(self.beta2).addcmul_(gradient, gradient * (1 - self.beta2))
        first, second = 1 - self.momentum**self.steps, 1 - self.beta2**self.steps
        weights.sub_(mean * (rates / first) / (square / second).sqrt_().add_(EPS))


UPDATES: dict[str, Callable[[Sequence[OptimConfig], Tensor, Tensor], Update]] = {"sgd": Descent, "adamw": DecoupledAdam}
"""By the name of the optimizer whose formula it is."""
