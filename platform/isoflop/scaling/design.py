"""Which nets to train to learn how a family should grow: stars on equal-FLOP surfaces, and a simplex between them.

Places are chosen in shares of FLOPs, u = exponent * log size for each dimension, so that a surface of equal FLOPs is
u_depth + u_width + u_resolution = log FLOPs. On each surface a star stands around its middle: one dimension gains FLOPs
and the others lose them evenly, and the reverse: six points on a regular hexagon around a middle, an equiradial design
that a full quadratic can be fitted to (Box & Hunter 1957, Annals of Mathematical Statistics 28). Above the base the
corners of a simplex are added (Scheffe 1958, Journal of the Royal Statistical Society B 20): all that is more than the
base's FLOPs goes into one dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from isoflop.scaling.extent import DIMENSIONS, Dimension, Extent, Logs
from isoflop.scaling.ground import Ground
from isoflop.scaling.line import shared
from isoflop.scaling.placement import TOLERANCE, Placement

LEVELS = (1.0, 2.0, 4.0, 8.0)
"""FLOPs of the surfaces over the base's."""
ARM = 2.5
"""What a star's arm multiplies the FLOPs by that one dimension brings: 2.5 times the layers, 1.6 times the width. No
dimension itself is multiplied by more: where maps are so small that FLOPs hardly rise with the resolution, images would
be enlarged many times for nets of a channel or two."""
CORNERS = 2.0
"""FLOPs over the base's up to which corners are added; further up they would stand far from every other point."""
STAIRS = 0.1
"""How far log FLOPs may stand off a power law until it is said."""
CENTRE = "centre"

Shares: TypeAlias = dict[Dimension, float]
"""Log FLOPs over the base's that each dimension brings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A net of the design."""

    roles: tuple[str, ...]
    """What it is there for, such as "depth+" or "all into width"; several where rounding made them one net."""
    level: float
    """FLOPs of its surface over the base's."""
    placement: Placement

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"roles": [*self.roles], "level": self.level, **self.placement.to_dict()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Nets to train, and what they cannot tell."""

    points: tuple[Point, ...]
    fixed: Mapping[Dimension, str]
    """Dimensions that do not vary in it, by why."""
    uneven: Mapping[Dimension, float]
    """Dimensions with which FLOPs rise in stairs, and by how much they stand off a power law: roles are less apart in
    them than they say, though every net's FLOPs are solved all the same."""

    @property
    def logs(self) -> list[Logs]:
        """Counted depth, width and resolution of each point over the base's, as logarithms: the rows of an array."""
        return [point.placement.found for point in self.points]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "points": [point.to_dict() for point in self.points],
            "fixed": {**self.fixed},
            "uneven": {**self.uneven},
        }


def design(
    ground: Ground,
    *,
    levels: Sequence[float] = LEVELS,
    arm: float = ARM,
    corners: float = CORNERS,
    vary: Sequence[Dimension] = DIMENSIONS,
    tolerance: float = TOLERANCE,
) -> Design:
    """A star on each surface, and corners up to some FLOPs; every net's FLOPs are solved.

    Roles that rounding makes one net become one point. A dimension that cannot vary by so much at this size, or shall
    not, is named, and the others share its FLOPs.
    """
    arms = {name: arm ** min(1.0, ground.exponents.of(name) or 1.0) for name in DIMENSIONS}
    fixed = {name: why for name in DIMENSIONS if (why := _stuck(ground, name, arms[name], vary))}
    free = {name: arms[name] for name in DIMENSIONS if name not in fixed}
    points: list[Point] = []
    for level in levels:
        points += _merged(ground, level, surface(level, free, corners=corners), tolerance)
    spread = ground.exponents.spread
    uneven = {name: spread.of(name) for name in free if spread.of(name) > STAIRS}
    return Design(points=tuple(points), fixed=fixed, uneven=uneven)


def surface(level: float, arms: Mapping[Dimension, float], *, corners: float = CORNERS) -> dict[str, Shares]:
    """Roles on a surface and the log FLOPs that each dimension brings there: a star, and corners up to some FLOPs.

    `arms`: the dimensions that vary, each with what its arm multiplies the FLOPs by that it brings.
    """
    return star(level, arms) | (simplex(level, [*arms]) if level <= corners else {})


def star(level: float, arms: Mapping[Dimension, float]) -> dict[str, Shares]:
    """Roles on a surface and the log FLOPs that each dimension brings there, which sum to the surface's."""
    centre = dict.fromkeys(arms, math.log(level) / max(1, len(arms)))
    places = {CENTRE: centre}
    for name in arms if len(arms) > 1 else ():
        for sign, gain in (("+", math.log(arms[name])), ("-", -math.log(arms[name]))):
            loss = -gain / (len(arms) - 1)
            places[f"{name}{sign}"] = {key: share + (gain if key == name else loss) for key, share in centre.items()}
    return places


def simplex(level: float, free: Sequence[Dimension]) -> dict[str, Shares]:
    """The corners of a surface: one dimension brings all that is more than the base's FLOPs; none at the base."""
    return {f"all into {name}": {name: math.log(level)} for name in free} if level > 1 else {}


def _stuck(ground: Ground, name: Dimension, arm: float, vary: Sequence[Dimension]) -> str:
    """Why a dimension cannot vary by an arm, empty where it can."""
    exponent = ground.exponents.of(name)
    if name not in vary:
        return "held fixed"
    if not exponent:
        return "every setting around the base is the same net"
    if name == "width":
        return ""
    step = math.log(arm) / exponent
    if ground.reach(name, step) or ground.reach(name, -step):
        return ""
    return f"rounding is coarser than a step of {math.exp(step):.2f} times"


def _merged(ground: Ground, level: float, wanted: Mapping[str, Shares], tolerance: float) -> Iterator[Point]:
    """One point for each net."""
    roles: dict[Extent, list[str]] = {}
    nets: dict[Extent, Placement] = {}
    for role, shares in wanted.items():
        place = shared(shares, ground.exponents)
        placement = ground.place(place, ground.extent.flops * level, tolerance=tolerance)
        nets.setdefault(placement.extent, placement)
        roles.setdefault(placement.extent, []).append(role)
    for extent, placement in nets.items():
        yield Point(roles=tuple(roles[extent]), level=level, placement=placement)
