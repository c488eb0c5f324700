"""The weights of several nets of one shape, and what it takes to run them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from isoflop.config import OptimConfig
from isoflop.errors import TrialError
from isoflop.training.objective import Objective
from isoflop.training.optimizers.groups import groups


class Stack:
    """Nets of one shape: all their parameters as one tensor (members, parameters), buffers as (members, ...).

    One flat tensor, so that an optimizer needs a dozen operations and not a dozen for each layer. Operations are mapped
    over members by `torch.vmap`: convolutions become grouped ones, products of matrices batched ones, and what changes
    buffers in place (batch norm) changes those of each member. Raises `TrialError` for a net with an operation that
    cannot be mapped.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        self._net = deepcopy(nets[0])
        named = dict(self._net.named_parameters())
        self._names, self._shapes = list(named), [p.shape for p in named.values()]
        self._sizes = [p.numel() for p in named.values()]
        self.weights = torch.stack([_flat(net) for net in nets]).requires_grad_()
        self.buffers = {
            name: torch.stack([dict(net.named_buffers())[name] for net in nets]) for name, _ in nets[0].named_buffers()
        }
        all_decay = groups(self._net, OptimConfig(weight_decay=1.0))
        decayed = {id(p) for group in all_decay if group["weight_decay"] for p in group["params"]}
        self.decayed = torch.cat([torch.full((p.numel(),), float(id(p) in decayed)) for p in named.values()])
        """1 for each parameter (parameters,) that decays, else 0."""
        self.decayed = self.decayed.to(self.weights)

    def __len__(self) -> int:
        """How many nets there are."""
        return len(self.weights)

    def losses(self, objective: Objective, images: Tensor, targets: Tensor) -> Tensor:
        """Each net's loss (members,) of its own images (members, N, ...) and targets, with the graph."""

        def loss(weights: Tensor, buffers: dict[str, Tensor], images: Tensor, targets: Tensor) -> Tensor:
            return objective(_Member(self._net, self._named(weights), buffers), images, targets)

        self._net.train()
        with _mapped():
            found: Tensor = torch.vmap(loss, randomness="different")(self.weights, self.buffers, images, targets)
        return found

    def outputs(self, images: Tensor) -> Tensor:
        """What each net makes of the same images (N, ...) in evaluation: (members, N, ...)."""

        def output(weights: Tensor, buffers: dict[str, Tensor]) -> Any:
            return functional_call(self._net, {**self._named(weights), **buffers}, (images,))

        self._net.eval()
        with _mapped(), torch.no_grad():
            found: Tensor = torch.vmap(output)(self.weights, self.buffers)
        return found

    def write(self, place: int, net: nn.Module) -> None:
        """Put one member's weights into a net of the same shape."""
        with torch.no_grad():
            for parameter, value in zip(net.parameters(), self._named(self.weights[place]).values(), strict=True):
                parameter.copy_(value)
            for name, buffer in net.named_buffers():
                buffer.copy_(self.buffers[name][place])

    def state_dict(self) -> dict[str, Any]:
        """Weights and buffers."""
        return {"weights": self.weights.detach(), "buffers": self.buffers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        with torch.no_grad():
            self.weights.copy_(state["weights"])
            for name, buffer in self.buffers.items():
                buffer.copy_(state["buffers"][name])

    def _named(self, weights: Tensor) -> dict[str, Tensor]:
        """One member's flat weights as the net's parameters."""
        parts = torch.split(weights, self._sizes)
        return {n: part.view(shape) for n, part, shape in zip(self._names, parts, self._shapes, strict=True)}


class _Member(nn.Module):
    """A net with weights that are given: what an objective takes for a net."""

    def __init__(self, net: nn.Module, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> None:
        super().__init__()
        self._net, self._values = (net,), {**weights, **buffers}  # in a tuple, or it would be a part of this module

    def forward(self, images: Tensor) -> Any:
        return functional_call(self._net[0], self._values, (images,))


@contextmanager
def _mapped() -> Iterator[None]:
    """What cannot be mapped over members is told in one line.

    Attention is computed in its plain form: torch's fused kernels of the CPU, and those with a bias that learns, have
    no batching rule.
    """
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    except RuntimeError as error:
        if "functorch" in str(error) or "vmap" in str(error):
            line = str(error).partition("\n")[0].partition(". ")[0]
            raise TrialError(f"the net cannot be fused ({line}); train its seeds apart") from error
        raise


def _flat(net: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in net.parameters()])
