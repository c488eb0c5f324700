"""What `isoflop describe` counts and says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A net that was asked for, and its images."""

    model: ModelConfig
    image: tuple[int, int, int]
    """Channels, height and width."""
    classes: int

    @classmethod
    def of(
        cls,
        name: str,
        shape: Mapping[str, str | float | None],
        *,
        resolution: int | None,
        channels: int,
        classes: int,
        knobs: Iterable[str],
    ) -> Self:
        """A family at a size. Raises `InputError` for what it cannot be."""
        row = family(name)
        fields = {key: value for key, value in shape.items() if value is not None}
        side = resolution or row.pixels(str(fields.get("variant", "")))
        stem = row.published or row.stem
        if "stem" not in fields and side >= max(PHOTOGRAPH, smallest(name, stem)):
            fields["stem"] = stem
        model = parse(ModelConfig, {"family": name, **fields, **dict(_setting(knob, row) for knob in knobs)}, "model")
        return cls(model=model, image=(channels, side, side), classes=classes)

    @property
    def fixed(self) -> ModelConfig:
        """The net with its pixels written down."""
        return self.model.model_copy(update={"resolution": self.image[1]})

    def cost(self, batch: int = 1) -> Cost:
        """What it costs, without building weights."""
        from isoflop.models import cost

        return cost(self.model, image=self.image, classes=self.classes, batch=batch)

    def drawn(self) -> str:
        """Its stages as SVG text."""
        from isoflop.cli.drawing import svg
        from isoflop.models.outline import outline

        title = f"{self.model.family} {self.model.variant}".rstrip()
        return svg(title, self.cost(), outline(self.model, image=self.image, classes=self.classes))

    def draw(self, file: Path) -> None:
        """Write its stages into an SVG file. Raises `InputError` where it cannot be written."""
        if file.suffix.lower() != ".svg":
            raise InputError(Fault("--plot", f"{str(file)!r} is no SVG file", "name it FILE.svg"))
        if not file.parent.is_dir():
            raise InputError(Fault("--plot", f"there is no folder {str(file.parent)!r}", "make it first"))
        try:
            file.write_text(self.drawn(), encoding="utf-8")
        except OSError as error:
            raise InputError(Fault("--plot", f"{file} cannot be written: {error.strerror}", "name another")) from None


def lines(found: Cost) -> list[str]:
    """The cost in lines."""
    told = [
        f"family           {found.family}",
        f"shape            {found.shape}",
        f"parameters       {found.parameters:,}",
        f"FLOPs            {amount(found.flops)} an image (forward; multiply-adds x 2; {amount(found.macs)} MACs)",
        f"memory           {amount(found.memory, 'B')} to train at batch {found.batch} (estimated)",
        f"receptive field  {_field(found)}",
    ]
    if found.tokens:
        told.append(f"tokens           {found.tokens:,} of an image")
    if found.auxiliary:
        told.append(f"auxiliary heads  {amount(found.auxiliary, 'FLOPs')} more in training")
    return told


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
