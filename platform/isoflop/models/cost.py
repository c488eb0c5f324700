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
from isoflop.models.field import Field, Following
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A module with work or weights of its own; what its children do is theirs, so that layers add up to the whole."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    flops: int
    """Of one image's forward pass."""
    receptive_field: int
    """Pixels of a side that one place of the output sees, at most the image's."""


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
    """Pixels of a side that one place of the last map sees, at most the image's; gates are left out (`field.py`)."""
    unbounded_field: int | None
    """The same on an image without an end; none where attention sees everything."""
    context: bool
    """Whether every place depends on the whole image: by attention, or by gates such as squeeze-and-excitation."""
    layers: tuple[Layer, ...]

    @property
    def macs(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return self.flops // 2

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        names = ["family", "shape", "parameters", "flops", "macs", "memory", "batch"]
        names += ["receptive_field", "unbounded_field", "context"]
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
    with counter, _Cheap(), Following(x) as fields, _watched(net, fields) as calls, _kept(net) as kept:
        net(x)
    last = fields.pooled or Field()
    spent = {name: sum(ops.values()) // IMAGES for name, ops in counter.get_flop_counts().items()}
    parameters = sum(parameter.numel() for parameter in net.parameters())
    found = Cost(
        family=model.family,
        shape=str(net.shape),
        parameters=parameters,
        flops=counter.get_total_flops() // IMAGES,
        memory=0,
        batch=0,
        receptive_field=_pixels(last, net.shape.resolution),
        unbounded_field=None if last.everything else last.side,
        context=last.context,
        layers=tuple(_layers(calls, spent, net.shape.resolution)),
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


Call = tuple[str, nn.Module, Tensor, Field]


@contextmanager
def _watched(net: Net, fields: Following) -> Iterator[list[Call]]:
    """Every call of a module that does something, in order; one with children stands after them."""
    calls: list[Call] = []

    def keep(name: str, module: nn.Module, output: Tensor | tuple[Tensor, ...]) -> None:
        made = output[0] if isinstance(output, tuple) else output
        calls.append((name, module, made, fields.of(made) or Field()))

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


def _layers(calls: list[Call], spent: dict[str, int], side: int) -> Iterator[Layer]:
    """One layer a module, however often it was called."""
    for call in {call[0]: call for call in calls}.values():
        layer = _layer(call, spent, side)
        if layer.parameters or layer.flops or _is_leaf(call[1]):
            yield layer


def _layer(call: Call, spent: dict[str, int], side: int) -> Layer:
    name, module, output, field = call
    children = sum(_inside(module, f"Net.{name}", spent))
    return Layer(
        name=name,
        kind=type(module).__name__,
        output=tuple(output.shape[1:]),
        parameters=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        flops=spent.get(f"Net.{name}", 0) - children,
        receptive_field=_pixels(field, side),
    )


def _inside(module: nn.Module, name: str, spent: dict[str, int]) -> Iterator[int]:
    """What was spent in the modules right below one; lists of modules are never called themselves."""
    for key, child in module.named_children():
        below = f"{name}.{key}"
        if below in spent:
            yield spent[below]
        else:
            yield from _inside(child, below, spent)


def _pixels(field: Field, side: int) -> int:
    """What a field covers of an image."""
    return side if field.everything else min(field.side, side)
