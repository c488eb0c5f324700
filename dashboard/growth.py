"""Figures of a scaling study, out of its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import fmean
from typing import Any

import plotly.graph_objects as go

from charts import COLOURS, GRID, QUIET, dressed, in_order, label, look, short, ticks
from isoflop.table import quantity

MARKS = {"depth": "triangle-up-open", "width": "square-open", "resolution": "diamond-open", "published": "x-open"}
NAMES = {"published": "published constants"}
Report = Mapping[str, Any]


def climb(report: Report) -> go.Figure:
    """Error over FLOPs: each family's sizes, its law with the band, and the controls."""
    figure = go.Figure()
    for family in in_order(report["families"]):
        found = report["families"][family]
        _add_law(figure, family, found["law"].get("curve", []))
        _add_sizes(figure, family, found["climb"])
        _add_controls(figure, family, found["controls"])
    every = [one["flops"] for found in report["families"].values() for one in found["climb"]]
    marks = ticks(every)
    figure.update_xaxes(type="log", title="FLOPs of one image", tickvals=marks, ticktext=[short(one) for one in marks])
    figure.update_yaxes(title=f"Error ({escape(label(report['metric']))})", type="log")
    return dressed(figure, height=480)


def predicted(report: Report) -> go.Figure | None:
    """What was predicted before the training, with its band, over what came; none where nothing was predicted."""
    rows = [
        (family, one) for family, found in report["families"].items() for one in found["climb"] if one.get("forecast")
    ]
    if not rows:
        return None
    figure = go.Figure()
    ends = [end for _, one in rows for end in (one["forecast"]["low"], one["forecast"]["high"], fmean(one["errors"]))]
    figure.add_scatter(
        x=[min(ends), max(ends)],
        y=[min(ends), max(ends)],
        mode="lines",
        name="as predicted",
        line={"color": QUIET, "dash": "dot", "width": 1.5},
        hoverinfo="skip",
    )
    for family in in_order({family for family, _ in rows}):
        _add_predicted(figure, family, [one for name, one in rows if name == family])
    figure.update_xaxes(title="Predicted error, with its 95 % band")
    figure.update_yaxes(title="Error that came, mean over seeds")
    return dressed(figure, height=480)


def profiles(shapes: Sequence[Mapping[str, Any]], dimension: str) -> go.Figure:
    """Error of the shapes on each surface of equal FLOPs, over one counted dimension."""
    figure = go.Figure()
    for level, colour in zip(sorted({one["place"] for one in shapes}), COLOURS * len(shapes), strict=False):
        here = sorted((one[dimension], fmean(one["errors"])) for one in shapes if one["place"] == level)
        figure.add_scatter(
            x=[x for x, _ in here],
            y=[y for _, y in here],
            mode="markers",
            marker={"color": colour, "size": 9, "line": {"color": "white", "width": 1}},
            name=f"{2**level:g} x FLOPs",
            hovertemplate=f"{dimension} %{{x:.3g}}<br>error %{{y:.4f}}<extra></extra>",
        )
    figure.update_xaxes(title=f"Counted {dimension}", type="log", gridcolor=GRID)
    figure.update_yaxes(title="Error")
    return dressed(figure, height=300)


def _add_law(figure: go.Figure, family: str, curve: Sequence[Mapping[str, float | None]]) -> None:
    colour, _ = look(family)
    x = [point["flops"] for point in curve]
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*(point["high"] for point in curve), *(point["low"] for point in reversed(curve))],
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=x,
        y=[point["value"] for point in curve],
        mode="lines",
        line={"color": colour, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _add_sizes(figure: go.Figure, family: str, sizes: Iterable[Mapping[str, Any]]) -> None:
    colour, symbol = look(family)
    seeds = [(one, error) for one in sizes for error in one["errors"]]
    figure.add_scatter(
        x=[one["flops"] for one, _ in seeds],
        y=[error for _, error in seeds],
        mode="markers",
        name=escape(family),
        marker={"color": colour, "symbol": symbol, "size": 8, "line": {"color": "white", "width": 1}},
        hovertext=[f"phi {one['place']:g}, {_shape(one)}" for one, _ in seeds],
        hovertemplate="%{hovertext}<br>error %{y:.4f}<extra></extra>",
    )


def _add_controls(figure: go.Figure, family: str, controls: Sequence[Mapping[str, Any]]) -> None:
    colour, _ = look(family)
    for name, mark in MARKS.items():
        rows = [one for one in controls if one["name"] == name]
        if rows:
            figure.add_scatter(
                x=[one["flops"] for one in rows],
                y=[fmean(one["errors"]) for one in rows],
                mode="markers",
                name=f"{escape(family)}, {NAMES.get(name, f'{name} alone')}",
                marker={"color": colour, "symbol": mark, "size": 11, "line": {"width": 2}},
                hovertext=[_shape(one) for one in rows],
                hovertemplate="%{hovertext}<br>error %{y:.4f}<extra></extra>",
            )


def _add_predicted(figure: go.Figure, family: str, sizes: Sequence[Mapping[str, Any]]) -> None:
    colour, symbol = look(family)
    told = [one["forecast"] for one in sizes]
    figure.add_scatter(
        x=[one["value"] for one in told],
        y=[fmean(one["errors"]) for one in sizes],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [one["high"] - one["value"] for one in told],
            "arrayminus": [one["value"] - one["low"] for one in told],
            "color": colour,
        },
        mode="markers",
        name=escape(family),
        marker={"color": colour, "symbol": symbol, "size": 10, "line": {"color": "white", "width": 1}},
        hovertext=[f"phi {one['place']:g}, missed by {one['missed']:+.4f}" for one in sizes],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _shape(one: Mapping[str, Any]) -> str:
    size = ", ".join(f"{name} {one[name]:.3g}" for name in ("depth", "width", "resolution"))
    return f"{size}, {quantity(one['flops'])}FLOPs, {quantity(one['parameters'])} parameters"
