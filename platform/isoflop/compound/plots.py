"""The plots of a scaling study, as SVG files that are equal for equal findings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from isoflop.compound.findings import Family, Findings, Trained, curve, points, span
from isoflop.planning.scaling.row import Stage
from isoflop.scaling.design import CENTRE
from isoflop.scaling.extent import DIMENSIONS, Dimension

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by the colour-blind too (Okabe & Ito 2008)."""
MARKS = {"depth": "^", "width": "s", "resolution": "D", "published": "X"}
AXES = {"flops": "FLOPs of one image", "latency": "latency in ms", "share": "share of the training images"}

TICKS = (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
"""Of a decade of errors."""


def draw(found: Findings, folder: Path) -> Iterator[Path]:
    """Draw what there is something to draw of, and say which files that made."""
    import matplotlib as mpl

    mpl.use("Agg")
    settings: dict[Any, Any] = {
        "svg.hashsalt": "isoflop",
        "font.size": 9,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "svg.fonttype": "none",
    }
    with mpl.rc_context(settings):
        for name, figure in _figures(found):
            path = folder / f"{name}.svg"
            figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
            yield path


def _figures(found: Findings) -> Iterator[tuple[str, Figure]]:
    fitted = [family for family in found.families if family.trained(Stage.FIT)]
    if fitted:
        yield "profiles", _profiles(found, fitted)
    climbed = [family for family in found.families if family.climb]
    if climbed:
        yield "climb", _over(found, climbed, "flops")
        yield "predicted", _predicted(found, climbed)
    if any(one.latency for family in climbed for one in family.climb):
        yield "latency", _over(found, climbed, "latency")
    shared = [family for family in found.families if family.trained(Stage.SHARE)]
    if shared:
        yield "shares", _over(found, shared, "share")


def _profiles(found: Findings, families: list[Family]) -> Figure:
    """Error against each counted dimension, a colour for each surface of equal FLOPs.

    A line joins the shapes of a surface in which that dimension alone gains or loses FLOPs to both others.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8 * len(families)), layout="constrained")
    grid = figure.subplots(len(families), len(DIMENSIONS), squeeze=False, sharey="row")
    for family, row in zip(families, grid, strict=True):
        for name, axes in zip(DIMENSIONS, row, strict=True):
            _profile(axes, family.trained(Stage.FIT), name)
            axes.set_xlabel(f"{name} over the base's")
        row[0].set_ylabel(f"{family.name}: error ({found.metric})")
    grid[0][-1].legend(fontsize=7)
    return figure


def _profile(axes: Axes, shapes: list[Trained], name: Dimension) -> None:
    def size(one: Trained) -> float:
        return math.exp(one.placement.found.of(name))

    arm = {f"{name}-", CENTRE, f"{name}+"}
    levels = sorted({one.row.place for one in shapes})
    for level, colour in zip(levels, COLOURS * len(levels), strict=False):
        here = sorted((one for one in shapes if one.row.place == level), key=size)
        joined = [one for one in here if not arm.isdisjoint(one.row.name.split())]
        others = [one for one in here if one not in joined]
        label = f"{2**level:g} x FLOPs"
        axes.plot([*map(size, joined)], [one.error for one in joined], "o-", color=colour, ms=4, lw=1, label=label)
        axes.plot([*map(size, others)], [one.error for one in others], "o", color=colour, ms=3, alpha=0.3)
    axes.set_xscale("log", base=2)


def _over(found: Findings, families: list[Family], axis: str) -> Figure:
    """Error over FLOPs, latency or the share of the data: every seed, the fitted curve and its band."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for family, colour in zip(families, COLOURS * len(families), strict=False):
        _curve(axes, family, axis, colour)
        for one in family.trained(Stage.SHARE) if axis == "share" else family.climb:
            _seeds(axes, one, axis, colour)
        if axis != "share":
            _controls(axes, family, axis, colour)
    if axis != "share":
        _legend(axes, families)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=TICKS))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(AXES[axis])
    axes.set_ylabel(f"error ({found.metric})")
    axes.legend(fontsize=7)
    return figure


def _curve(axes: Axes, family: Family, axis: str, colour: str) -> None:
    fitted, (low, high) = curve(family, axis), span(family, axis)
    if isinstance(fitted, str):
        axes.plot([], [], color=colour, label=f"{family.name} (no curve)")
        return
    x, bands = zip(*points(fitted, low, high), strict=True)
    axes.plot(x, [band.value for band in bands], color=colour, label=family.name)
    axes.fill_between(x, [band.low for band in bands], [band.high for band in bands], color=colour, alpha=0.15, lw=0)


def _seeds(axes: Axes, one: Trained, axis: str, colour: str) -> None:
    place = {"flops": one.flops, "latency": one.latency, "share": one.row.place}[axis]
    if place:
        axes.plot([place] * len(one.errors), one.errors, "o", color=colour, markersize=3, alpha=0.7)


def _controls(axes: Axes, family: Family, axis: str, colour: str) -> None:
    for one in family.trained(Stage.CONTROL):
        place = one.latency if axis == "latency" else one.flops
        if place:
            mark = MARKS.get(one.row.name, "x")
            axes.plot([place], [fmean(one.errors)], mark, color=colour, markersize=6, markerfacecolor="none")


def _legend(axes: Axes, families: list[Family]) -> None:
    """What the marks of controls mean, in no family's colour."""
    names = {one.row.name for family in families for one in family.trained(Stage.CONTROL)}
    for name in (name for name in MARKS if name in names):
        label = "published constants" if name == "published" else f"{name} alone"
        axes.plot([], [], MARKS[name], color="grey", markersize=6, markerfacecolor="none", label=label)


def _predicted(found: Findings, families: list[Family]) -> Figure:
    """What was predicted of sizes before they were trained, and what they came to, a panel for each family."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.5 * len(families), 3.5), layout="constrained")
    panels = figure.subplots(1, len(families), squeeze=False)[0]
    for axes, family, colour in zip(panels, families, COLOURS * len(families), strict=False):
        _foretold(axes, [one for one in family.climb if one.row.forecast], colour)
        axes.set_title(family.name, fontsize=9)
        axes.set_xlabel("predicted error, with its 95 % band")
    panels[0].set_ylabel(f"error ({found.metric}), mean over seeds")
    return figure


def _foretold(axes: Axes, sizes: list[Trained], colour: str) -> None:
    """Sizes beside the line on which what came is what was predicted."""
    ends: list[float] = []
    for one in sizes:
        value, low, high = (one.row.forecast[name] for name in ("value", "low", "high"))
        reach = [[value - low], [high - value]]
        axes.errorbar([value], [one.error], xerr=reach, fmt="o", color=colour, markersize=4)
        axes.annotate(f" phi {one.row.place:g}", (value, one.error), fontsize=7, va="bottom")
        ends += [low, high, one.error]
    if ends:
        axes.plot([min(ends), max(ends)], [min(ends), max(ends)], color="grey", lw=1)
