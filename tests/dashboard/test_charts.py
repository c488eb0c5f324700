"""Figures: what they show, and that no name in them is read as HTML."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isoflop.families import families

HOSTILE = "<b>x</b>"


@pytest.fixture(scope="module")
def charts() -> ModuleType:
    """The dashboard's own module, found as `streamlit run` finds it."""
    folder = str(Path(__file__).parents[2] / "dashboard")
    sys.path.insert(0, folder)
    try:
        import charts
    finally:
        sys.path.remove(folder)
    return charts


def row(
    family: str, flops: float, mean: float | None, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    return {
        "run": f"{HOSTILE}/0",
        "family": family,
        "shape": "d1",
        "parameters": 1000,
        "flops": flops,
        "picked": False,
        "tie_group": 1,
        "metrics": {"test_accuracy": {"mean": mean, "low": low, "high": high}},
    }


def trial(number: int, state: str, values: list[float | None], family: str = "resnet") -> dict[str, Any]:
    records = [{"fidelity": step, "metrics": {"val_accuracy": value}} for step, value in enumerate(values)]
    return {"number": number, "replicate": 0, "state": state, "family": family, "records": records}


def test_points_have_intervals_a_symbol_a_family_and_a_front(charts: ModuleType) -> None:
    rows = [
        row("resnet", 1e7, 0.99, 0.98, 0.995),
        row("lenet", 1e5, 0.9, 0.88, 0.92),
        row("vit", 1e8, 0.95),
        row("vit", 1e6, None),
    ]
    front, *families = charts.metric_by_flops(rows, "test_accuracy").data
    assert front.name == "Pareto front"
    assert list(front.x) == [1e5, 1e7]
    assert [trace.name for trace in families] == ["lenet", "resnet", "vit"]
    assert len({(trace.marker.symbol, trace.marker.color) for trace in families}) == 3
    assert families[1].error_y.array[0] == pytest.approx(0.5)
    assert families[1].error_y.arrayminus[0] == pytest.approx(1.0)
    assert list(families[2].y) == [95.0]


def test_no_two_families_look_alike(charts: ModuleType) -> None:
    rows = [row(name, 1e7, 0.9) for name in families()]
    looks = [(t.marker.symbol, t.marker.color) for t in charts.metric_by_flops(rows, "test_accuracy").data]
    assert len(set(looks)) == len(looks) > len(rows)


@pytest.mark.parametrize("rows", [[], [row("resnet", 0.0, 0.9)], [row("resnet", 1e6, None)]])
def test_a_figure_of_nothing_is_a_figure(charts: ModuleType, rows: list[dict[str, Any]]) -> None:
    assert len(charts.metric_by_flops(rows, "test_accuracy").data) == 0


def test_curves_are_one_trace_a_family_with_gaps_between_trials(charts: ModuleType) -> None:
    trials = [trial(0, "COMPLETE", [0.1, None]), trial(1, "COMPLETE", [0.2]), trial(2, "PRUNED", [0.3])]
    pruned, kept = charts.learning_curves(trials, "val_accuracy", "Epochs").data
    assert (pruned.name, kept.name) == ("resnet, pruned", "resnet")
    assert list(kept.y) == [0.1, None, None, 0.2, None]


def test_of_many_curves_the_last_are_shown(charts: ModuleType) -> None:
    figure = charts.learning_curves([trial(n, "COMPLETE", [0.5]) for n in range(9)], "val_accuracy", "Epochs", limit=2)
    assert list(figure.data[0].hovertext)[::2] == ["trial 7, resnet, complete", "trial 8, resnet, complete"]


def test_names_are_escaped(charts: ModuleType) -> None:
    figures = [
        charts.metric_by_flops([row(HOSTILE, 1e6, 0.9)], "test_accuracy"),
        charts.learning_curves([trial(0, "COMPLETE", [0.5], HOSTILE)], "val_accuracy", HOSTILE),
        charts.state_bar({HOSTILE: 1}),
    ]
    for figure in figures:
        assert HOSTILE.lower() not in str(figure.to_dict()).lower()
