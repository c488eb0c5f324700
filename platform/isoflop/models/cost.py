"""What a model costs, counted on the meta device: no weight is allocated, nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.functional import batch_norm, layer_norm
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from isoflop.config import ModelConfig
from isoflop.models.net import Net
from isoflop.models.registry import build

BYTES = 4
COPIES = 4
"""Weights, their gradients and two states of the optimizer."""
IMAGES = 2
"""Images that are counted with and divided by: batch norm refuses to train on one."""
DEEPEST = 99
"""Levels of modules that FLOPs are told apart by."""
FILLS = frozenset(getattr(Tensor, f"{name}_") for name in ("normal", "uniform", "fill", "zero", "mul", "add", "clamp"))
"""What draws weights, and what trims what was drawn."""
NORMS = frozenset({batch_norm, layer_norm})

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
    """Bytes to train at `batch`, an estimate: weights, gradients and the optimizer's states; for each image what
    autograd keeps for the backward pass, and twice the largest of it, for what is computed from it.

    The data set is not in it. On ten trainings of the four families on the CPU private memory rose by 1.0 to 1.5 times
    this over the first steps, and by 1.7 times on one that takes 6 MB; the part above is freed memory that the C
    library cannot use again at once.
    """
    batch: int
    """Images that go through the model at once."""
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
    fixed, each, found = _counted(model_json, image, classes)
    return replace(found, memory=fixed + batch * each, batch=batch)


@lru_cache(maxsize=4096)
def _counted(model_json: str, image: tuple[int, int, int], classes: int) -> tuple[int, int, Cost]:
    """Bytes that training takes for any batch, those it takes for each image, and the rest."""
    model = ModelConfig.model_validate_json(model_json)
    with torch.device("meta"), _Cheap():
        net = build(model, image=image, classes=classes).train()
    with torch.device("meta"):
        x = torch.empty(IMAGES, image[0], net.shape.resolution, net.shape.resolution)
    counter = FlopCounterMode(display=False, depth=DEEPEST)
    with counter, _watched(net) as calls, _kept(net) as kept, _Cheap():
        net(x)
    spent = {name: sum(ops.values()) // IMAGES for name, ops in counter.get_flop_counts().items()}
    parameters = sum(parameter.numel() for parameter in net.parameters())
    found = Cost(
        family=model.family,
        shape=str(net.shape),
        parameters=parameters,
        flops=counter.get_total_flops() // IMAGES,
        memory=0,
        batch=0,
        receptive_field=receptive_field(net, calls),
        layers=tuple(_layers(calls, spent)),
    )
    sizes = [storage.nbytes() for storage in kept]
    return BYTES * COPIES * parameters, (sum(sizes) + 2 * max(sizes, default=0)) // IMAGES, found


class _Cheap(TorchFunctionMode):
    """Leaves out what takes torch long on the meta device and counts for nothing: weights drawn, batches normalized."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What torch does, but for these."""
        if func in FILLS:
            return args[0]
        if func in NORMS:
            return _Norm.apply(args[0])
        return func(*args, **(kwargs or {}))


class _Norm(torch.autograd.Function):
    """Stands in for a norm: it keeps its input for the backward pass, as they do, and gives as much."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.empty_like(x)


@contextmanager
def _kept(net: Net) -> Iterator[list[UntypedStorage]]:
    """What autograd keeps for the backward pass, each storage once, the net's own weights left out."""
    found: dict[StorageWeakRef, UntypedStorage] = {}
    own = {_place(tensor.untyped_storage()) for tensor in (*net.parameters(), *net.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        found.setdefault(_place(storage), storage)
        return tensor

    storages: list[UntypedStorage] = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield storages
    storages += [storage for place, storage in found.items() if place not in own]


def _place(storage: UntypedStorage) -> StorageWeakRef:
    """What tells storages apart: on the meta device they have no address."""
    return StorageWeakRef(storage)  # type: ignore[no-untyped-call]


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
