"""Builders by the name of their family."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch

from isoflop.config import ModelConfig
from isoflop.errors import Fault, UnknownError
from isoflop.families import family
from isoflop.models.net import Body, Net
from isoflop.models.thin import spare
from isoflop.scaling import Shape

Builder = Callable[[Shape, ModelConfig, int], Body]
"""Makes a family's body of a shape, a configuration and a number of image channels."""

_BUILDERS: dict[str, Builder] = {}


def register(name: str) -> Callable[[Builder], Builder]:
    """Make a function the builder of the family of that name."""

    def keep(builder: Builder) -> Builder:
        _BUILDERS[name] = builder
        return builder

    return keep


def builder(name: str) -> Builder:
    """The builder of a family; its module is imported when it is first asked for.

    Raises `UnknownError` where another package's row names a module that is not there or registers nothing.
    """
    row = family(name)
    if name not in _BUILDERS:
        try:
            import_module(row.builder)
        except ModuleNotFoundError as error:
            raise UnknownError(Fault("model.family", f"{name} needs module {error.name!r}", "install it")) from error
    if name not in _BUILDERS:
        what = f"module {row.builder!r} registers no builder of {name!r}"
        raise UnknownError(Fault("model.family", what, f"decorate one with @register({name!r})"))
    return _BUILDERS[name]


def build(model: ModelConfig, *, image: tuple[int, int, int], classes: int, seed: int | None = None) -> Net:
    """A net for images stored as (channels, height, width), with weights drawn from the seed.

    Torch's global generators are left as they were. Raises `SpecError` for a shape that cannot be, or that has nothing
    where a building block should be exchanged.
    """
    channels, height, _ = image
    return assemble(Shape.of(model, height), model, channels=channels, classes=classes, seed=seed)


def assemble(shape: Shape, model: ModelConfig, *, channels: int, classes: int, seed: int | None = None) -> Net:
    """A net of a shape, as `build` makes it: `model` says all that is not depth, width and resolution."""
    make = builder(model.family)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            # Weights are drawn on the CPU; torch.manual_seed would reset the generators of GPUs too.
            torch.default_generator.manual_seed(seed)
        body = make(shape, model, channels)
        if any(model.knob(part) != kinds[0] for part, kinds in family(model.family).parts.items()):
            from isoflop.models.exchange import exchange  # its blocks take long to import, and most nets need none

            exchange(body, model, (channels, shape.resolution))
        spare(body)
        return Net(body, shape, classes=classes, dropout=model.dropout)
