"""Figures of studies of one run, out of their reports: what choices are worth, and what folds came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from charts import COLOURS, INK, PERCENT, QUIET, dressed, label, scale_of
from isoflop.followup.words import setting_text

BETTER, WORSE = "#009e73", "#d55e00"
Report = Mapping[str, Any]


def gains(report: Report) -> go.Figure:
    """By how much the run is better for each choice, with its interval; grey where no gain is told from none."""
    figure = go.Figure()
    told = [row for row in report["choices"] if row["gain"] and row["gain"]["mean"] is not None]
    groups = {
        "better than the default": ([row for row in told if row["told"] and row["gain"]["mean"] > 0], BETTER),
        "worse than the default": ([row for row in told if row["told"] and row["gain"]["mean"] <= 0], WORSE),
        "not told from no gain": ([row for row in told if not row["told"]], QUIET),
    }
    for name, (rows, colour) in groups.items():
        if rows:
            _add_gains(figure, name, rows, colour, scale_of(report["metric"]))
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    points = " (points)" if scale_of(report["metric"]) == PERCENT else ""
    figure.update_xaxes(title=f"Gain in {label(report['metric']).lower()}{points}, with its 95 % interval")
    names = [choice(row) for row in told]
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], type="category")
    return dressed(figure, height=120 + 42 * len(names))


def folds(report: Report) -> go.Figure:
    """What each fold came to, and their mean with its interval."""
    figure, mean, scale = go.Figure(), report["mean"], scale_of(report["metric"])
    done = [row for row in report["rows"] if row["value"] is not None]
    if mean["low"] is not None and mean["high"] is not None:
        figure.add_hrect(
            y0=scale * mean["low"], y1=scale * mean["high"], fillcolor=COLOURS[0], opacity=0.12, line_width=0
        )
    if mean["mean"] is not None:
        figure.add_hline(y=scale * mean["mean"], line={"color": COLOURS[0], "width": 1.5, "dash": "dot"})
    figure.add_scatter(
        x=[f"fold {row['fold']}" for row in done],
        y=[scale * row["value"] for row in done],
        mode="markers",
        marker={"color": COLOURS[0], "size": 12, "line": {"color": "white", "width": 1}},
        hovertext=[f"{row['images']:,} images, seed {row['seed']}" for row in done],
        hovertemplate="%{x}: %{y:.4g}<br>%{hovertext}<extra></extra>",
    )
    ends = [
        scale * value for value in (mean["low"], mean["high"], *(row["value"] for row in done)) if value is not None
    ]
    room = 0.08 * (max(ends) - min(ends)) if ends else 0.0
    title = f"{label(report['metric'])}{' (%)' if scale == PERCENT else ''}"
    figure.update_yaxes(title=title, range=[min(ends) - room, max(ends) + room] if room else None)
    return dressed(figure, height=360)


def choice(row: Mapping[str, Any]) -> str:
    """A choice in words, as HTML that shows what it says."""
    return escape(f"{row['key']} {setting_text(row['value'])} (default {setting_text(row['default'])})")


def _add_gains(figure: go.Figure, name: str, rows: Sequence[Mapping[str, Any]], colour: str, scale: float) -> None:
    gained = [row["gain"] for row in rows]
    figure.add_scatter(
        x=[scale * gain["mean"] for gain in gained],
        y=[choice(row) for row in rows],
        mode="markers",
        name=name,
        marker={"color": colour, "size": 11, "line": {"color": "white", "width": 1}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_arm(gain["high"], gain["mean"], scale) for gain in gained],
            "arrayminus": [_arm(gain["mean"], gain["low"], scale) for gain in gained],
            "color": colour,
            "thickness": 1.6,
            "width": 6,
        },
        hovertemplate="%{y}<br>gain %{x:+.4g}<extra></extra>",
    )


def _arm(far: float | None, near: float | None, scale: float) -> float:
    """Length of an interval's arm; none where nothing is known."""
    return 0.0 if far is None or near is None else scale * (far - near)
