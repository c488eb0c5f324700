"""Figures: what they show, and that no name in them is read as HTML."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isoflop.families import families

HOSTILE = "<b>x</b>"


@pytest.fixture(scope="module")
def charts() -> ModuleType:
    return found("charts")


@pytest.fixture(scope="module")
def worth() -> ModuleType:
    return found("worth")


def found(name: str) -> ModuleType:
    """The dashboard's own module, found as `streamlit run` finds it."""
    folder = str(Path(__file__).parents[2] / "dashboard")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


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


def gain(mean: float, told: bool, low: float | None = None, key: str = HOSTILE) -> dict[str, Any]:
    return {"key": key, "value": HOSTILE, "default": 0, "gain": {"mean": mean, "low": low, "high": low}, "told": told}


def test_gains_are_told_apart_in_points_and_names_are_escaped(worth: ModuleType) -> None:
    rows = [gain(0.03, True, key="a"), gain(-0.02, True, key="b"), gain(0.1, False), {"gain": None, "told": False}]
    figure = worth.gains({"metric": "val_accuracy", "choices": rows})
    assert [(trace.name, list(trace.x)) for trace in figure.data] == [
        ("better than the default", [3.0]),
        ("worse than the default", [-2.0]),
        ("not told from no gain", [10.0]),
    ]
    assert HOSTILE not in str(figure.to_dict())
    assert list(worth.gains({"metric": "val_loss", "choices": rows}).data[0].x) == [0.03]


@pytest.mark.parametrize("values", [[0.8, 0.9], [0.8], []])
def test_folds_are_dots_around_their_mean(worth: ModuleType, values: list[float]) -> None:
    rows = [{"fold": place, "value": value, "images": 9, "seed": 1} for place, value in enumerate([*values, None])]
    known = {"mean": values[0] if values else None, "low": None, "high": None}
    figure = worth.folds({"metric": "val_accuracy", "mean": known, "rows": rows})
    assert list(figure.data[0].y) == [100 * value for value in values]
    assert len(figure.layout.shapes) == bool(values)
