"""One row of the table of families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

RESOLUTION = 224
"""Pixels of a side of a family that was published for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A kind of architecture that can be scaled in depth, width and resolution.

    `alpha`, `beta` and `gamma` are the published bases of compound scaling, or EfficientNet's where none were published
    (Tan & Le 2019, arXiv 1905.11946, section 3.3); nobody should expect them to hold on other data.
    """

    name: str
    paper: str
    builder: str
    """The module that registers the builder, imported when the family is first built."""
    stem: int
    """Default pixels per cell of the first feature map: stride of the stem, or patch size."""
    stems: tuple[int, ...]
    published: int | None = None
    """The stem of the published nets; none means the default."""
    least: Mapping[int, int] = field(default_factory=dict)
    """Pixels of a side that a stem needs, by stem, where 8 are too few."""
    variants: Mapping[str, int] = field(default_factory=dict)
    """Published nets that depth and width count from, the default first, each with the pixels it was published for."""
    knobs: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Settings of this family alone under `model.`: name to legal values, the default first. `variant` is one of them
    where there are several, and so are `parts`."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Building blocks that are exchanged once the net is made: name to kinds, first the one that the net is made of."""
    residual: bool = True
    """Whether there are residual paths, which `model.drop_path` drops."""
    any_size: bool = True
    """Whether a net takes images of any size, not only of the one it was made for: `resize.start` asks for that."""
    recipe: Mapping[str, Scalar] = field(default_factory=dict)
    """Where the family's usual recipe differs from the defaults of a configuration, by dotted key."""
    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15

    def __post_init__(self) -> None:
        """Make knobs of the variants and the parts."""
        several = {"variant": tuple(self.variants)} if len(self.variants) > 1 else {}
        object.__setattr__(self, "knobs", {**several, **self.knobs, **self.parts})

    def pixels(self, variant: str = "") -> int:
        """Pixels of a side that a variant was published for, by default the first."""
        return self.variants.get(variant or next(iter(self.variants), ""), RESOLUTION)

    def canonical(self, variant: str = "") -> dict[str, Scalar]:
        """The settings under `model.` at which a variant, by default the first, is the published net."""
        chosen = {"variant": variant} if variant and "variant" in self.knobs else {}
        return {"family": self.name, "stem": self.published or self.stem, **chosen}
