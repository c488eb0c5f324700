"""What a model costs, counted on the meta device: no weight is allocated, nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.errors import Fault, SpecError
from isoflop.models.counting import AUXILIARY, Heard, Kin, Peak, Tally, depth, path, peak, undrawn, width
from isoflop.models.field import Field, Fields
from isoflop.models.net import LAYOUT, Net, Staged
from isoflop.models.registry import assemble
from isoflop.models.tensors import tensors
from isoflop.scaling import Extent, Shape, smallest

IMAGES = 2
"""Images that are counted with and divided by: batch norm refuses to train on one."""


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

    @property
    def auxiliary(self) -> bool:
        """Whether only training uses it."""
        return AUXILIARY in self.name.split(".")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a model costs."""

    family: str
    shape: str
    parameters: int
    flops: int
    """FLOPs of one image's forward pass, a multiply-add counted as two."""
    auxiliary: int
    """FLOPs of heads beside the last, which only training does, not among `flops`."""
    memory: int
    """Bytes to train at `batch`, at the peak of a step: weights, the optimizer's states, gradients, and what autograd
    keeps for the backward pass. The data set is not in it, nor what an allocator cannot use again of freed memory."""
    batch: int
    """Images that go through the model at once."""
    receptive_field: int
    """Pixels of a side that one place of the last map sees, at most the image's; gates are left out (`field.py`)."""
    unbounded_field: int | None
    """The same on an image without an end; none where attention sees everything."""
    context: bool
    """Whether every place depends on the whole image: by attention, or by gates such as squeeze-and-excitation."""
    extent: Extent
    """Counted depth, width and resolution."""
    tokens: int | None
    """Tokens of an image where transformer blocks begin; none for a net without such blocks."""
    layers: tuple[Layer, ...]

    @property
    def macs(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return self.flops // 2

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        names = ["family", "shape", "parameters", "flops", "macs", "auxiliary", "memory", "batch"]
        names += ["receptive_field", "unbounded_field", "context", "tokens"]
        layers = [{name: getattr(layer, name) for name in Layer.__slots__} for layer in self.layers]
        return {name: getattr(self, name) for name in names} | {"layers": layers}


def cost(
    model: ModelConfig,
    *,
    image: tuple[int, int, int],
    classes: int,
    batch: int = 1,
    states: int = 2,
    share: float = 1.0,
    recompute: bool = False,
) -> Cost:
    """Count a model for images stored as (channels, height, width).

    `states` is how many copies of the weights a training keeps: two are Adam's, one is momentum's. With a `share` the
    same net sees images of that share of its resolution. With `recompute` the body's blocks are computed again for the
    backward pass, which takes less memory; FLOPs are those of a forward pass all the same. The result is kept, so
    asking again is free, and so is asking for other depths and widths that are rounded to the same net. Raises
    `SpecError` for a shape that cannot be, or images that the net does not take.
    """
    return _cost(model.model_dump_json(), image, classes, batch, states, share, recompute)


@lru_cache(maxsize=4096)
def _cost(  # noqa: PLR0917 - all are the key
    model_json: str,
    image: tuple[int, int, int],
    classes: int,
    batch: int,
    states: int,
    share: float,
    recompute: bool,  # noqa: FBT001
) -> Cost:
    peak, found = _counted(model_json, image, classes, share, recompute)
    return replace(found, memory=peak.bytes(batch, states), batch=batch)


@lru_cache(maxsize=4096)
def _counted(
    model_json: str,
    image: tuple[int, int, int],
    classes: int,
    share: float,
    recompute: bool,  # noqa: FBT001 - a key
) -> tuple[Peak, Cost]:
    model = ModelConfig.model_validate_json(model_json)
    shape = Shape.of(model, image[1])
    rest = model.model_copy(update={"depth": 1.0, "width": 1.0, "phi": 0.0, "resolution": shape.resolution})
    kin = _kin(rest.model_dump_json(), image, classes, share, recompute)
    known = kin.like(shape)
    if known is None:
        heard = Heard(shape)
        known = _count(heard, model, channels=image[0], classes=classes, share=share, recompute=recompute)
        kin.keep(heard, known)
    found, counted = known
    return found, replace(counted, shape=str(shape))


@lru_cache(maxsize=1024)
def _kin(
    rest: str,
    image: tuple[int, int, int],
    classes: int,
    share: float,
    recompute: bool,  # noqa: FBT001 - a key
) -> Kin[tuple[Peak, Cost]]:
    """What is known of the nets that have these in common."""
    del rest, image, classes, share, recompute
    return Kin()


def count(
    model: ModelConfig, *, image: tuple[int, int, int], classes: int, share: float = 1.0, recompute: bool = False
) -> tuple[Peak, Cost]:
    """Count a model anew: the memory of a training as a function of its batch, and all that does not depend on it."""
    shape = Shape.of(model, image[1])
    return _count(shape, model, channels=image[0], classes=classes, share=share, recompute=recompute)


def _count(
    shape: Shape, model: ModelConfig, *, channels: int, classes: int, share: float, recompute: bool
) -> tuple[Peak, Cost]:
    with undrawn():
        net = assemble(shape, model, channels=channels, classes=classes).train()
    side = side_of(net, model, share)
    x = torch.empty(IMAGES, channels, side, side, device="meta", memory_format=LAYOUT)
    fields = Fields(x)
    tally = Tally(net, fields)
    with tally.watching(), _watched(net, tally, fields) as calls, _taken(model, side, net.shape.resolution):
        net(x)
    if recompute:
        _mark(net, tally)
    last = fields.pooled or Field()
    spent = {name: flops // IMAGES for name, flops in tally.flops().items()}
    layers = tuple(_layers(calls, spent, side))
    flops = sum(layer.flops for layer in layers if not layer.auxiliary)
    found = Cost(
        family=model.family,
        shape=str(net.shape),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        flops=flops,
        auxiliary=sum(layer.flops for layer in layers if layer.auxiliary),
        memory=0,
        batch=0,
        receptive_field=_pixels(last, side),
        unbounded_field=None if last.everything else last.side,
        context=last.context,
        extent=_extent(net, tally, side, flops),
        tokens=net.body.tokens,
        layers=layers,
    )
    return peak(tally.operations, images=IMAGES, weights=tally.weights, buffers=tally.buffers), found


def _extent(net: Net, tally: Tally, side: int, flops: int) -> Extent:
    """Counted depth, width and resolution."""
    body, steps = net.body, [*path(tally.operations)]
    parts = {*(body.stages if isinstance(body, Staged) else body.units())}
    stages = [name for name, module in net.named_modules() if module in parts]
    return Extent(depth=depth(steps), width=width(steps, stages, tally.channels), resolution=side, flops=flops)


def side_of(net: Net, model: ModelConfig, share: float) -> int:
    """Pixels of a side of images at a share of a net's resolution, as its stem takes them."""
    return net.shape.reduced(share, smallest(model.family, net.shape.stem)) if share < 1 else net.shape.resolution


@contextmanager
def _taken(model: ModelConfig, side: int, made: int) -> Iterator[None]:
    """Raise `SpecError` where a net does not take images of another size than it was made for."""
    try:
        yield
    except (RuntimeError, ValueError, AssertionError) as error:
        if side == made:
            raise
        what = f"{model.family} made for {made} pixels does not take {side} ({str(error).partition(chr(10))[0]})"
        raise SpecError(Fault("resize.start", what, "give a larger share, or 1 for none")) from None


def _mark(net: Net, tally: Tally) -> None:
    """Say of each operation in which of the body's blocks it was done."""
    names = {module: name for name, module in net.named_modules()}
    blocks = {names[inner]: names[unit] for unit in net.body.units() for inner in unit.modules()}
    for operation in tally.operations:
        operation.block = blocks.get(operation.module, "")


Call = tuple[str, nn.Module, Tensor, Field]


@contextmanager
def _watched(net: Net, tally: Tally, fields: Fields) -> Iterator[list[Call]]:
    """Every call of a module that does something, in order; one with children stands after them."""
    calls: list[Call] = []

    def keep(name: str, module: nn.Module, output: Tensor | tuple[Tensor, ...]) -> None:
        tally.leave()
        if isinstance(module, nn.Identity):
            return
        made = next(tensors(output))
        calls.append((name, module, made, fields.of(made) or Field()))

    hooks = [
        hook
        for name, module in net.named_modules()
        if name
        for hook in (
            module.register_forward_pre_hook(lambda *_, name=name: tally.enter(name)),
            module.register_forward_hook(lambda m, _, output, name=name: keep(name, m, output)),
        )
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _layers(calls: list[Call], spent: dict[str, int], side: int) -> Iterator[Layer]:
    """One layer a module, however often it was called."""
    called = {call[1] for call in calls}
    for name, module, output, field in {call[0]: call for call in calls}.values():
        layer = Layer(
            name=name,
            kind=type(module).__name__,
            output=tuple(output.shape[1:]),
            parameters=sum(parameter.numel() for parameter in _own(module, called)),
            flops=spent.get(name, 0),
            receptive_field=_pixels(field, side),
        )
        if layer.parameters or layer.flops or not any(module.children()):
            yield layer


def _own(module: nn.Module, called: set[nn.Module]) -> Iterator[nn.Parameter]:
    """The parameters of a module and of those below it that are never called: what they keep is used by it."""
    yield from module.parameters(recurse=False)
    for child in module.children():
        if child not in called:
            yield from _own(child, called)


def _pixels(field: Field, side: int) -> int:
    """What a field covers of an image."""
    return side if field.everything else min(field.side, side)
