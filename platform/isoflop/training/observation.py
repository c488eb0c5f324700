"""What one training step shows of a net, by groups of layers: gradients, dead units, activations.

Nothing is changed by looking: a training that is observed has the numbers of one that is not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
ACTIVATIONS: Final = frozenset(
    {
        aten.relu, aten.relu_, aten.leaky_relu, aten.leaky_relu_, aten._prelu_kernel, aten.elu, aten.elu_,  # noqa: SLF001
        aten.silu, aten.silu_, aten.gelu, aten.gelu_, aten.tanh, aten.tanh_, aten.hardtanh, aten.hardtanh_,
        aten.hardswish, aten.hardswish_, aten.mish, aten.mish_,
    }
)  # fmt: skip
"""Operations that make a unit's activation. Sigmoids are gates where they stand in these nets."""
CHANNELS_LAST: Final = (nn.Linear, nn.LayerNorm)
"""Layers whose output has its units along the last axis; those of all others have them along the second."""
STILL = 1e-3
"""A unit is dead whose activation moves over a batch by less than this share of what the layer's liveliest one does."""


def group_of(name: str) -> str:
    """The group of layers that a parameter or a module belongs to by its dotted name: `stem`, `stages.2`, `head`.

    A list of stages or blocks is a group an entry, whatever else a net has is a group a child.
    """
    first, *rest = name.removeprefix("body.").split(".")
    if not re.fullmatch(r"stages|blocks|layers", first):
        return first
    number = next((part for part in rest if part.isdigit()), "")
    return f"{first}.{number}" if number else first


class Observation:
    """Looks at a net's forward passes within `forward`, and at its gradients when `gradients` is called."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self._activations: dict[str, list[_Activation]] = defaultdict(list)
        self._gradients: Mapping[str, float] = {}

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Look at every activation of the forward passes within."""
        place = _Place()
        owners = [(name, module) for name, module in self.net.named_modules() if _owns(module)]
        handles = [module.register_forward_pre_hook(place.at(name, module)) for name, module in owners]
        try:
            with _Looking(place, self._activations):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def gradients(self) -> None:
        """Look at the gradients as they are now: before they are clipped, after scaling is undone."""
        squares: dict[str, list[Tensor]] = defaultdict(list)
        for name, parameter in self.net.named_parameters():
            if parameter.grad is not None:
                squares[group_of(name)].append(parameter.grad.detach().double().square().sum())
        sums = {group: torch.stack(found).sum() for group, found in squares.items()}
        self._gradients = {group: total.sqrt().item() for group, total in sums.items()}

    def numbers(self) -> dict[str, float]:
        """What was seen since the last call, by name, and forget it.

        `gradient` is the norm of the whole gradient and `gradient.GROUP` that of a group's; `activation_mean.GROUP`
        and `activation_std.GROUP` are over all activations of a group, its units weighing alike; `dead.GROUP` is the
        share of its units that did not move over the batch.
        """
        found = {"gradient": sum(norm**2 for norm in self._gradients.values()) ** 0.5} if self._gradients else {}
        found |= {f"gradient.{group}": norm for group, norm in self._gradients.items()}
        for group, seen in self._activations.items():
            found |= {f"{what}.{group}": value for what, value in _summary(seen).items()}
        self._activations.clear()
        self._gradients = {}
        return found


class _Place:
    """Where in a net the forward pass is: the layer with weights that was called last."""

    def __init__(self) -> None:
        self.group, self.last = "", False

    def at(self, name: str, module: nn.Module) -> Any:
        """A hook that says that a layer is called."""

        def note(*_: object) -> None:
            self.group, self.last = group_of(name), isinstance(module, CHANNELS_LAST)

        return note


class _Activation:
    """One activation over a batch: of each of its units mean, mean square, and how far it moved."""

    def __init__(self, values: Tensor, axis: int) -> None:
        units = values.detach().movedim(axis, 0).flatten(1).float()
        self.mean, self.square = units.mean(1), units.square().mean(1)
        self.moved = units.amax(1) - units.amin(1)

    @property
    def dead(self) -> Tensor:
        """Which units did not move."""
        return self.moved <= STILL * self.moved.max()


class _Looking(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Takes note of what activations give."""

    def __init__(self, place: _Place, found: dict[str, list[_Activation]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.place, self.found = place, found

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if func.overloadpacket in ACTIVATIONS and given.ndim > 1:
            axis = -1 if self.place.last or given.ndim == 3 else 1  # tokens are (N, T, C)
            self.found[self.place.group].append(_Activation(given, axis))
        return given


def _summary(seen: list[_Activation]) -> dict[str, float]:
    mean = torch.cat([one.mean for one in seen]).double().mean()
    square = torch.cat([one.square for one in seen]).double().mean()
    return {
        "activation_mean": mean.item(),
        "activation_std": (square - mean.square()).clamp_min(0).sqrt().item(),
        "dead": torch.cat([one.dead for one in seen]).double().mean().item(),
    }


def _owns(module: nn.Module) -> bool:
    """Whether a layer has weights of its own."""
    with suppress(StopIteration):
        next(module.parameters(recurse=False))
        return True
    return False
