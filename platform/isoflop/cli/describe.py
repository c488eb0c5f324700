"""What `isoflop describe` counts and says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from isoflop.cli.output import amount
from isoflop.config import ModelConfig, parse
from isoflop.errors import Fault, InputError
from isoflop.families import Family, family
from isoflop.families.row import Scalar
from isoflop.scaling import smallest

if TYPE_CHECKING:
    from isoflop.models import Cost

PHOTOGRAPH = 64
"""Pixels of a side from which the stem is the published one where none is given."""
RESOLUTION = 224
"""Pixels of a side of a family that was published for none."""


def cost_of(
    name: str,
    shape: Mapping[str, str | float | None],
    *,
    resolution: int | None,
    channels: int,
    classes: int,
    knobs: Iterable[str],
) -> Cost:
    """The cost of a family at a size. Raises `InputError` for what it cannot be."""
    from isoflop.models import cost

    row = family(name)
    fields = {key: value for key, value in shape.items() if value is not None}
    side = resolution or row.variants.get(str(fields.get("variant", next(iter(row.variants), ""))), RESOLUTION)
    stem = row.published or row.stem
    if "stem" not in fields and side >= max(PHOTOGRAPH, smallest(name, stem)):
        fields["stem"] = stem
    model = parse(ModelConfig, {"family": name, **fields, **dict(_setting(knob, row) for knob in knobs)}, "model")
    return cost(model, image=(channels, side, side), classes=classes)


def lines(found: Cost) -> list[str]:
    """The cost in lines."""
    return [
        f"family           {found.family}",
        f"shape            {found.shape}",
        f"parameters       {found.parameters:,}",
        f"FLOPs            {amount(found.flops)} an image (forward; multiply-adds x 2; {amount(found.macs)} MACs)",
        f"memory           {amount(found.memory, 'B')} to train at batch {found.batch} (estimated)",
        f"receptive field  {_field(found)}",
    ]


def _field(found: Cost) -> str:
    """What the last map sees."""
    if found.unbounded_field is None:
        return "the whole image (attention)"
    beyond = (
        f" (of {found.unbounded_field} without the image's end)"
        if found.unbounded_field > found.receptive_field
        else ""
    )
    return f"{found.receptive_field} pixels{beyond}{', and all of the image through gates' if found.context else ''}"


def _setting(text: str, row: Family) -> tuple[str, Scalar]:
    """A knob and its value: the legal one that is written so, or what is written."""
    key, sign, value = text.partition("=")
    if not sign:
        raise InputError(Fault("--knob", f"{text!r} is not KEY=VALUE", "write --knob norm=batch"))
    return key, {str(legal).lower(): legal for legal in row.knobs.get(key, ())}.get(value.lower(), value)
