"""Figures out of plain rows. Names come from people, and Plotly reads HTML: every one is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from isoflop.families import families
from isoflop.pareto import Direction, front
from isoflop.table import quantity, shown
from isoflop.tasks import metric_of

# Okabe & Ito's colours, told apart by colour-blind readers; with the symbols they tell 64 families apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a51a3", "#4d4d4d")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "x")
PERCENT = 100.0
MANY = 6
"""With more decades than this, an axis is labelled by powers of ten alone."""
INK, GRID, QUIET = "#1c2733", "#e6ebf1", "#8a97a6"
STATES = {
    "COMPLETE": "#009e73",
    "PRUNED": "#9fb3c8",
    "INFEASIBLE": "#e69f00",
    "FAILED": "#d55e00",
    "DUPLICATE": "#56b4e9",
    "KILLED": "#6a51a3",
    "RUNNING": "#2456a6",
    "WAITING": "#cbd5e0",
    "INTERRUPTED": "#cc79a7",
}


def metric_by_flops(rows: Sequence[Mapping[str, Any]], metric: str) -> go.Figure:
    """Mean of a metric with its interval over FLOPs, shares in percent; the Pareto front as a line."""
    told = [row for row in rows if row["metrics"].get(metric, {}).get("mean") is not None and row["flops"] > 0]
    figure = go.Figure()
    _add_front(figure, told, metric)
    for family in in_order({row["family"] for row in told}):
        _add_family(figure, [row for row in told if row["family"] == family], family, metric)
    marks = ticks([row["flops"] for row in told])
    figure.update_xaxes(
        type="log", title="FLOPs of one image", tickvals=marks, ticktext=[short(mark) for mark in marks]
    )
    figure.update_yaxes(title=f"{label(metric)} (%)" if scale_of(metric) == PERCENT else label(metric))
    return dressed(figure, height=460)


def learning_curves(trials: Sequence[Mapping[str, Any]], metric: str, axis: str, limit: int = 200) -> go.Figure:
    """A metric of each trial's records over the fidelity; what was stopped early is drawn in pale grey.

    Of more than `limit` trials the last ones are shown.
    """
    figure = go.Figure()
    shown = [trial for trial in trials if trial["records"]][-limit:]
    groups: dict[tuple[bool, str], list[Mapping[str, Any]]] = {}
    for trial in shown:
        groups.setdefault((trial["state"] != "PRUNED", trial["family"]), []).append(trial)
    order = {family: place for place, family in enumerate(in_order({family for _, family in groups}))}
    for (kept, family), members in sorted(groups.items(), key=lambda item: (item[0][0], order[item[0][1]])):
        _add_curves(figure, members, family, metric, kept=kept)
    figure.update_xaxes(title=escape(axis))
    figure.update_yaxes(title=escape(label(metric)))
    return dressed(figure, height=420)


def state_bar(counts: Mapping[str, int]) -> go.Figure:
    """How many trials are in each state, as one bar."""
    figure = go.Figure()
    for state, count in counts.items():
        figure.add_bar(
            x=[count],
            y=[""],
            orientation="h",
            name=f"{escape(state.capitalize())} {count}",
            marker={"color": STATES.get(state, QUIET), "line": {"color": "white", "width": 1.5}},
            hovertemplate=f"{escape(state.capitalize())}: {count}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0, showlegend=True, legend_traceorder="normal")
    figure.update_xaxes(visible=False, range=[0, max(1, sum(counts.values()))])
    figure.update_yaxes(visible=False)
    return dressed(figure, height=84)


def label(metric: str) -> str:
    """A metric's name as people write it."""
    known = {
        "val": "validation",
        "ece": "calibration error",
        "f1": "F1",
        "auroc": "AUROC",
        "map": "mean average precision",
    }
    words = " ".join(known.get(word, word) for word in metric.split("_"))
    return words[:1].upper() + words[1:]


def _add_family(figure: go.Figure, rows: Sequence[Mapping[str, Any]], family: str, metric: str) -> None:
    """The points of one family."""
    values = [row["metrics"][metric] for row in rows]
    scale = scale_of(metric)
    means = [scale * value["mean"] for value in values]
    colour, symbol = look(family)
    figure.add_scatter(
        x=[row["flops"] for row in rows],
        y=means,
        mode="markers",
        name=escape(family),
        marker={
            "color": colour,
            "opacity": 1,
            "symbol": symbol,
            "size": [17 if row["picked"] else 12 for row in rows],
            "line": {"color": [INK if row["picked"] else "white" for row in rows], "width": 2},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_arm(value["high"], value["mean"], scale) for value in values],
            "arrayminus": [_arm(value["mean"], value["low"], scale) for value in values],
            "color": colour,
            "thickness": 1.4,
            "width": 5,
        },
        hovertext=[_hover(row, metric) for row in rows],
        hoverinfo="text",
    )


def ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 times the powers of ten around some values; only the powers where they span many."""
    if not values:
        return []
    low, high = math.floor(math.log10(min(values))) - 1, math.ceil(math.log10(max(values))) + 1
    steps = (1, 2, 5) if high - low <= MANY else (1,)
    return [step * 10.0**power for power in range(low, high + 1) for step in steps]


def short(value: float) -> str:
    """A round number and its prefix: `500 k`."""
    number, _, unit = quantity(value).partition(" ")
    return f"{float(number):g} {unit}".strip()


def _arm(far: float | None, near: float | None, scale: float) -> float:
    """Length of an error bar; none where nothing is known."""
    return 0.0 if far is None or near is None else max(0.0, scale * (far - near))


def scale_of(metric: str) -> float:
    """What a metric is multiplied by to be drawn."""
    known = metric_of(metric)
    return PERCENT if known is None or known.share else 1.0


def _hover(row: Mapping[str, Any], metric: str) -> str:
    unit = " %" if scale_of(metric) == PERCENT else ""
    lines = [
        f"<b>{escape(row['run'])}</b>{', picked by validation' if row['picked'] else ''}",
        f"{escape(row['family'])}, {escape(row['shape'])}",
        f"{label(metric)}: {shown(row['metrics'][metric], metric.partition('_')[2])}{unit}",
        f"{quantity(row['flops'])}FLOPs, {quantity(row['parameters'])} parameters",
        f"tie group {row['tie_group']}",
    ]
    return "<br>".join(lines)


def _add_front(figure: go.Figure, rows: Sequence[Mapping[str, Any]], metric: str) -> None:
    """A stair through the rows that none beats in both the metric and FLOPs."""
    points = np.asarray([(row["flops"], scale_of(metric) * row["metrics"][metric]["mean"]) for row in rows])
    known = metric_of(metric)
    better: Direction = "maximize" if known is None or known.sign > 0 else "minimize"
    best = points.reshape(-1, 2)[front(points.reshape(-1, 2), ("minimize", better))]
    stair = best[np.argsort(best[:, 0], kind="stable")]
    if len(stair) > 1:
        figure.add_scatter(
            x=stair[:, 0].tolist(),
            y=stair[:, 1].tolist(),
            mode="lines",
            name="Pareto front",
            line={"color": QUIET, "width": 1.5, "dash": "dot", "shape": "hv"},
            hoverinfo="skip",
        )


def _add_curves(
    figure: go.Figure, trials: Iterable[Mapping[str, Any]], family: str, metric: str, *, kept: bool
) -> None:
    """The curves of some trials as one trace with gaps, which stays fast with hundreds."""
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for trial in trials:
        points = [(record["fidelity"], record["metrics"].get(metric)) for record in trial["records"]]
        x += [*(point[0] for point in points), None]
        y += [*(point[1] for point in points), None]
        name = f"trial {trial['number']}" + (f".{trial['replicate']}" if trial["replicate"] else "")
        texts += [f"{name}, {escape(family)}, {trial['state'].lower()}"] * (len(points) + 1)
    colour, symbol = look(family)
    colour = colour if kept else "#c9d3de"
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name=escape(family) if kept else f"{escape(family)}, pruned",
        line={"color": colour, "width": 1.8 if kept else 1.2},
        marker={"size": 5, "symbol": symbol},
        hovertext=texts,
        hovertemplate="%{hovertext}<br>%{y:.4f}<extra></extra>",
        connectgaps=False,
    )


def in_order(names: Iterable[str]) -> list[str]:
    """Families in the order in which they are listed everywhere."""
    return sorted(names, key=lambda name: (_place(name), name))


def look(family: str) -> tuple[str, str]:
    """A family's colour and symbol; no two of the first 64 have both alike."""
    rounds, colour = divmod(_place(family), len(COLOURS))
    return COLOURS[colour], SYMBOLS[(colour + rounds) % len(SYMBOLS)]


def _place(family: str) -> int:
    """A family's place among the known ones, so that it looks the same on every page."""
    known = list(families())
    return known.index(family) if family in known else len(known) + sum(family.encode()) % 4


def dressed(figure: go.Figure, *, height: int) -> go.Figure:
    """Fonts, grid and margins that all figures share."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        font={"family": "Source Sans, Source Sans Pro, sans-serif", "size": 14, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "title": None, "itemsizing": "constant"},
        hoverlabel={"bgcolor": "white", "bordercolor": GRID, "font": {"color": INK}, "align": "left"},
    )
    figure.update_xaxes(
        gridcolor=GRID, zeroline=False, linecolor=GRID, ticks="outside", tickcolor=GRID, automargin=True
    )
    figure.update_xaxes(title_font_size=14)
    figure.update_yaxes(title_font_size=14)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, linecolor=GRID, automargin=True)
    return figure
