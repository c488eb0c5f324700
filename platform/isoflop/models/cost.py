"""What a model costs, counted on the meta device: no weight is allocated, nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from isoflop.config import ModelConfig
from isoflop.models.net import Net
from isoflop.models.registry import build

BYTES = 4
COPIES = 4
"""Weights, their gradients and two states of the optimizer."""
DEEPEST = 99
"""Levels of modules that FLOPs are told apart by."""

BESIDE = frozenset({"downsample", "fc1", "fc2"})
"""Names of convolutions that do not lie on the path: shortcuts, squeeze-and-excitation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A module with work or weights of its own; what its children do is theirs, so that layers add up to the whole."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    flops: int
    """Of one image's forward pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a model costs."""

    family: str
    shape: str
    parameters: int
    flops: int
    """FLOPs of one image's forward pass, a multiply-add counted as two."""
    memory: int
    """Bytes to train at `batch`: weights, gradients and optimizer, and every layer's output kept; an estimate.

    On seven nets of the four families, outputs were 0.9 to 1.5 times what autograd kept for the backward pass.
    """
    batch: int
    receptive_field: int
    """Pixels of a side that one place of the last map sees, its squeeze-and-excitation left out."""
    layers: tuple[Layer, ...]

    @property
    def macs(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return self.flops // 2

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        names = ("family", "shape", "parameters", "flops", "macs", "memory", "batch", "receptive_field")
        layers = [{name: getattr(layer, name) for name in Layer.__slots__} for layer in self.layers]
        return {name: getattr(self, name) for name in names} | {"layers": layers}


def cost(model: ModelConfig, *, image: tuple[int, int, int], classes: int, batch: int = 1) -> Cost:
    """Count a model for images stored as (channels, height, width).

    The result is kept, so asking again is free. Raises `SpecError` for a shape that cannot be.
    """
    return _cost(model.model_dump_json(), image, classes, batch)


@lru_cache(maxsize=4096)
def _cost(model_json: str, image: tuple[int, int, int], classes: int, batch: int) -> Cost:
    model = ModelConfig.model_validate_json(model_json)
    with torch.device("meta"):
        net = build(model, image=image, classes=classes).eval()
        x = torch.empty(1, image[0], net.shape.resolution, net.shape.resolution)
    counter = FlopCounterMode(display=False, depth=DEEPEST)
    with counter, torch.no_grad(), _watched(net) as calls:
        net(x)
    spent = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    parameters = sum(parameter.numel() for parameter in net.parameters())
    kept = sum(output.numel() for _, module, output in calls if _is_leaf(module))
    return Cost(
        family=model.family,
        shape=str(net.shape),
        parameters=parameters,
        flops=counter.get_total_flops(),
        memory=BYTES * (COPIES * parameters + batch * kept),
        batch=batch,
        receptive_field=receptive_field(net, calls),
        layers=tuple(_layers(calls, spent)),
    )


Call = tuple[str, nn.Module, Tensor]


@contextmanager
def _watched(net: Net) -> Iterator[list[Call]]:
    """Every call of a module that does something, in order; one with children stands after them."""
    calls: list[Call] = []

    def keep(name: str, module: nn.Module, output: Tensor | tuple[Tensor, ...]) -> None:
        calls.append((name, module, output[0] if isinstance(output, tuple) else output))

    hooks = [
        module.register_forward_hook(lambda m, _, output, name=name: keep(name, m, output))
        for name, module in net.named_modules()
        if name and not isinstance(module, nn.Identity)
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _is_leaf(module: nn.Module) -> bool:
    return not any(module.children())


def _layers(calls: list[Call], spent: dict[str, int]) -> Iterator[Layer]:
    """One layer a module, however often it was called."""
    for name, (module, output) in {name: (module, output) for name, module, output in calls}.items():
        layer = _layer(name, module, output, spent)
        if layer.parameters or layer.flops or _is_leaf(module):
            yield layer


def _layer(name: str, module: nn.Module, output: Tensor, spent: dict[str, int]) -> Layer:
    children = sum(spent.get(f"Net.{name}.{child}", 0) for child, _ in module.named_children())
    return Layer(
        name=name,
        kind=type(module).__name__,
        output=tuple(output.shape[1:]),
        parameters=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        flops=spent.get(f"Net.{name}", 0) - children,
    )


def receptive_field(net: Net, calls: list[Call]) -> int:
    """Pixels of a side that the last map sees, at most the image: the sum of (kernel - 1) * stride so far.

    Araujo et al. 2019, Computing receptive fields of convolutional neural networks, equation 2.
    """
    side = net.shape.resolution
    if net.body.sees_all:
        return side
    seen, jump = 1, 1
    for name, module, _ in calls:
        beside = any(part in BESIDE for part in name.split("."))
        if beside or not isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            continue
        kernel, stride = _first(module.kernel_size), _first(module.stride)
        seen += (kernel - 1) * jump
        jump *= stride
    return min(seen, side)


def _first(value: Any) -> int:
    return int(value[0]) if isinstance(value, tuple) else int(value)
