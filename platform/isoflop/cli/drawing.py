"""A net's stages as a picture: SVG text out of counted numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, TypeAlias

from isoflop.cli.output import amount

if TYPE_CHECKING:
    from isoflop.models import Cost
    from isoflop.models.cost import Layer

Shape: TypeAlias = tuple[int, ...]

BODY_NAME, STEM_NAME, HEAD_NAME = "body", "stem", "head"
SMALL = 0.01
"""Share of all parameters and of all FLOPs below which a part without a map of its own size joins the one before it."""
COLUMNS = 8
WIDTH, HEIGHT = 134, 292
"""Of the place of one plate with its labels."""
MARGIN, HEADER, FOOTER = 26, 84, 40
LEAST = 700
"""Pixels of the width that the texts above and below need."""
LEGEND = "A plate's side is its map's and its thickness its channels, as square roots; bars are shares of the total."
SIDE, THICK = 118, 54
"""Of the largest map and of the one with most channels."""
NARROW, FLAT = 10, 4
"""Of the smallest."""
TIMES = " \N{MULTIPLICATION SIGN} "
SLANT = (0.40, 0.24)
"""How far a plate's back edge is to the right of and above its front one, as shares of its side."""
AXIS = 92
"""Where the plates' middles are, from the top of their place."""
NAME = 15
"""Letters of a name that fit."""
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
INK, GREY, LINE, TRACK = "#1c2733", "#5b6b7c", "#b8c4d0", "#e6ebf1"
STYLE = f'font-family="{escape(FONT)}" fill="{INK}"'
PARAMETERS, FLOPS = "#0072b2", "#d55e00"
BODY, HEAD = ("#d3e5f3", "#e9f2f9", "#a9cbe4"), ("#fbe0c8", "#fdf0e3", "#f0bd8f")
"""Front, top and side of a plate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of a net as it is drawn."""

    name: str
    output: Shape
    parameters: int
    flops: int
    receptive_field: int

    @property
    def places(self) -> float:
        """Places along a side of its map; of tokens, as if they lay in a square."""
        if len(self.output) == 3:
            return float(max(self.output[:2] if self._last else self.output[1:]))
        return math.sqrt(self.output[0]) if len(self.output) == 2 else 1.0

    @property
    def channels(self) -> int:
        """Numbers that each place has."""
        return self.output[0] if len(self.output) == 3 and not self._last else self.output[-1]

    @property
    def _last(self) -> bool:
        """Whether it is a map whose channels stand last."""
        return len(self.output) == 3 and self.output[0] == self.output[1] != self.output[2]

    def said(self) -> str:
        """Its output's shape, channels first."""
        if len(self.output) == 2:
            return f"{self.output[0]} tokens{TIMES}{self.output[1]}"
        first = (self.output[2], *self.output[:2]) if self._last else self.output
        return TIMES.join(map(str, first))


def stages(cost: Cost, outputs: Mapping[str, Shape]) -> list[Stage]:
    """A net's parts in order: what its body consists of, lists of blocks by what they give, and its head.

    `outputs` are the shapes that modules give, by name, also of those that do nothing but call others.
    """
    found: list[Stage] = []
    for name, layers in _parts(cost.layers, outputs).items():
        stage = Stage(
            name=_short(name),
            output=outputs.get(name, layers[-1].output),
            parameters=sum(layer.parameters for layer in layers),
            flops=sum(layer.flops for layer in layers if not layer.auxiliary),
            receptive_field=layers[-1].receptive_field,
        )
        if found and _joins(stage, found[-1], cost):
            found[-1] = _joined(found[-1], stage)
        elif found and _continues(stage, found[-1]):
            found[-1] = replace(_joined(found[-1], stage), name=_span(found[-1].name, stage.name))
        else:
            found.append(stage)
    return [stage for stage, after in zip_longest(found, found[1:]) if not (after and _leads(stage, after))]


def _parts(layers: Sequence[Layer], outputs: Mapping[str, Shape]) -> dict[str, list[Layer]]:
    """Layers by the module that is drawn with them in it."""
    wrapper = _wrapper([layer.name.split(".") for layer in layers])
    is_list = cache(lambda name: _is_list(name, layers, outputs))
    parts: dict[str, list[Layer]] = {}
    own: list[Layer] = []
    for layer in layers:
        words = layer.name.split(".")
        first = ".".join(words[: wrapper + 1])
        if words[0] != BODY_NAME:
            parts.setdefault(words[0], []).append(layer)
        elif len(words) <= wrapper:
            own.append(layer)
        else:
            parts.setdefault(".".join(words[: wrapper + 2]) if is_list(first) else first, []).append(layer)
    for part in islice(parts.values(), 1):
        part[:0] = own  # tokens and embeddings of places, which stand in a wrapper itself
    return parts


def _wrapper(names: Sequence[Sequence[str]]) -> int:
    """How many words all names of a body's layers begin with."""
    words = [name for name in names if name[0] == BODY_NAME]
    count = 1
    while len({tuple(name[: count + 1]) for name in words if len(name) > count}) == 1:
        count += 1
    return count


def _is_list(name: str, layers: Sequence[Layer], outputs: Mapping[str, Shape]) -> bool:
    """Whether a module is a list of stages: never called itself, or of blocks whose maps have several sizes."""
    below = [layer.name[len(name) + 1 :].split(".") for layer in layers if layer.name.startswith(f"{name}.")]
    if not below or not all(words[0].isdigit() for words in below) or name.endswith(f".{STEM_NAME}"):
        return False
    sizes = {outputs.get(f"{name}.{words[0]}", ())[1:] for words in below}
    return name not in outputs or (len(sizes) > 1 and all(len(words) > 1 for words in below))


def _short(name: str) -> str:
    """The last word of a module's name, with the one before it where it is a number."""
    *before, last = name.split(".")
    return f"{before[-1]}.{last}" if last.isdigit() else last


def _joins(stage: Stage, before: Stage, cost: Cost) -> bool:
    """Whether a part is too small to be drawn beside the one before it."""
    small = stage.parameters <= SMALL * cost.parameters and stage.flops <= SMALL * cost.flops
    tokens = len(stage.output) == len(before.output) == 2
    return small and stage.name != HEAD_NAME and (tokens or stage.places == before.places)


def _leads(stage: Stage, after: Stage) -> bool:
    """Whether a part only pools for the next one, which has a map of that size too."""
    return stage.parameters == stage.flops == 0 and stage.places == after.places


def _continues(stage: Stage, before: Stage) -> bool:
    """Whether a part is the next of the same list and gives as much as the one before it."""
    one, other = before.name.partition("."), stage.name.partition(".")
    return one[0] == other[0] and bool(one[2] and other[2]) and stage.output == before.output


def _span(first: str, last: str) -> str:
    """stages.2 and stages.4 as stages.2-4."""
    return f"{first.partition('-')[0]}-{last.partition('.')[2]}"


def _joined(before: Stage, stage: Stage) -> Stage:
    """Both in one."""
    return replace(
        before,
        output=stage.output,
        parameters=before.parameters + stage.parameters,
        flops=before.flops + stage.flops,
        receptive_field=stage.receptive_field,
    )


def svg(title: str, cost: Cost, outputs: Mapping[str, Shape]) -> str:
    """A plate for each stage: its side is the map's, its thickness the channels'; below it what it gives and costs."""
    drawn = stages(cost, outputs)
    rows = -(-len(drawn) // COLUMNS)
    columns = -(-len(drawn) // rows)
    width, height = max(2 * MARGIN + columns * WIDTH, LEAST), HEADER + rows * HEIGHT + FOOTER
    total = f"{cost.shape} · {cost.parameters:,} parameters · {amount(cost.flops, 'FLOPs')} an image · {_seen(cost)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {STYLE}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(MARGIN, 38, title, size=20, weight=600),
        _text(MARGIN, 62, total, size=13, colour=GREY),
    ]
    for row in range(rows):
        top, here = HEADER + row * HEIGHT, drawn[row * columns : (row + 1) * columns]
        end = MARGIN + (len(here) - 0.5) * WIDTH
        parts.append(_line(MARGIN + WIDTH / 2, top + AXIS, end, top + AXIS))
        for column, stage in enumerate(here):
            parts += _drawn(stage, MARGIN + column * WIDTH, top, drawn, cost)
    parts.append(_text(MARGIN, height - 18, LEGEND, size=11, colour=GREY))
    return "\n".join([*parts, "</svg>", ""])


def _drawn(stage: Stage, left: float, top: float, among: Sequence[Stage], cost: Cost) -> Iterator[str]:
    """A plate and its labels in a place of the drawing."""
    share = math.sqrt(stage.places / max(each.places for each in among)) if len(stage.output) > 1 else 0.0
    side = NARROW + (SIDE - NARROW) * share
    thick = FLAT + (THICK - FLAT) * math.sqrt(stage.channels / max(each.channels for each in among))
    yield "<g>"
    yield f"<title>{escape(f'{stage.name}: {stage.said()}')}</title>"
    yield from _plate(left + WIDTH / 2, top + AXIS, side, thick, HEAD if stage.name == HEAD_NAME else BODY)
    x, y = left + 6, top + 2 * AXIS
    yield _text(x, y, stage.name if len(stage.name) <= NAME else f"{stage.name[: NAME - 1]}…", size=13, weight=600)
    yield _text(x, y + 18, stage.said(), size=12)
    yield _text(x, y + 34, f"sees {stage.receptive_field} pixels", size=11, colour=GREY)
    share = stage.parameters / max(1, cost.parameters)
    yield from _bar(x, y + 52, f"{amount(stage.parameters)} params", share, PARAMETERS)
    share = stage.flops / max(1, cost.flops)
    yield from _bar(x, y + 76, f"{amount(stage.flops, 'FLOPs')}", share, FLOPS)
    yield "</g>"


def _plate(x: float, y: float, side: float, thick: float, colours: tuple[str, str, str]) -> Iterator[str]:
    """A box with its middle at a point."""
    back, up = SLANT[0] * side, SLANT[1] * side
    left, top = x - (thick + back) / 2, y - (side - up) / 2
    right, bottom = left + thick, top + side
    front, lid, flank = colours
    yield _polygon([(left, top), (right, top), (right, bottom), (left, bottom)], front)
    yield _polygon([(left, top), (left + back, top - up), (right + back, top - up), (right, top)], lid)
    yield _polygon([(right, top), (right + back, top - up), (right + back, bottom - up), (right, bottom)], flank)


def _polygon(points: Iterable[tuple[float, float]], colour: str) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{places}" fill="{colour}" stroke="{INK}" stroke-width="0.7" stroke-linejoin="round"/>'


def _bar(x: float, y: float, text: str, share: float, colour: str) -> Iterator[str]:
    """A label, and below it a share of all."""
    length = WIDTH - 22
    yield _text(x, y, text, size=11)
    shown = "<1%" if 0 < share < 0.005 else f"{share:.0%}"
    yield _text(x + length, y, shown, size=11, colour=GREY, anchor="end")
    yield f'<rect x="{x:.1f}" y="{y + 5:.1f}" width="{length}" height="4" rx="2" fill="{TRACK}"/>'
    yield f'<rect x="{x:.1f}" y="{y + 5:.1f}" width="{length * share:.1f}" height="4" rx="2" fill="{colour}"/>'


def _line(x: float, y: float, end: float, bottom: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{bottom:.1f}" stroke="{LINE}" stroke-width="1.5"/>'


def _text(
    x: float, y: float, text: str, *, size: int, weight: int = 400, colour: str = INK, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _seen(cost: Cost) -> str:
    if cost.unbounded_field is None:
        return "sees the whole image"
    return f"sees {cost.receptive_field} pixels"
