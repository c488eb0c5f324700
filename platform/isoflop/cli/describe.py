"""What `isoflop describe` counts and says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from isoflop.cli.output import amount
from isoflop.config import ModelConfig, parse
from isoflop.errors import Fault, InputError
from isoflop.families import family

if TYPE_CHECKING:
    from isoflop.models import Cost

CANONICAL_STEM = {"lenet": 1, "efficientnet": 2, "vit": 16}
"""Stems of the published shapes at 224 pixels; 4 where none is named."""


def cost_of(
    name: str,
    shape: Mapping[str, float | None],
    *,
    resolution: int,
    channels: int,
    classes: int,
    knobs: Iterable[str],
) -> Cost:
    """The cost of a family at a size. Raises `InputError` for what it cannot be."""
    from isoflop.models import cost

    row = family(name)
    fields = {key: value for key, value in shape.items() if value is not None}
    if "stem" not in fields and resolution >= 64:
        fields["stem"] = CANONICAL_STEM.get(row.name, 4 if 4 in row.stems else row.stem)
    model = parse(ModelConfig, {"family": name, **fields, **dict(_pair(knob) for knob in knobs)}, "model")
    return cost(model, image=(channels, resolution, resolution), classes=classes)


def lines(found: Cost) -> list[str]:
    """The cost in lines."""
    return [
        f"family           {found.family}",
        f"shape            {found.shape}",
        f"parameters       {found.parameters:,}",
        f"FLOPs            {amount(found.flops)} an image (forward; multiply-adds x 2; {amount(found.macs)} MACs)",
        f"memory           {amount(found.memory, 'B')} to train at batch {found.batch} (estimated)",
        f"receptive field  {found.receptive_field} pixels",
    ]


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise InputError(Fault("--knob", f"{text!r} is not KEY=VALUE", "write --knob block=bottleneck"))
    return key, value
