"""The open trials of a study in rows: where each stands, and what it is expected to come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from isoflop.cli.output import cell
from isoflop.journal.history import History
from isoflop.planning.expectation import expectation
from isoflop.space import FAMILY


def open_rows(history: History, metric: str) -> Iterator[dict[str, Any]]:
    """Every open trial as JSON values; `expected`: the metric at its last report, with a 95 % band, null if unknown."""
    expected = expectation(history, metric)
    for trial in history.open():
        band = expected(trial)
        yield {
            "trial": str(trial.key),
            "state": str(trial.state),
            "family": str(trial.config.get(FAMILY, "")),
            "report": f"{trial.reports}/{trial.config.get('train.reports', '?')}",
            metric: trial.value(metric) if trial.reports else None,
            "expected": asdict(band) if band else None,
        }


def shown(row: dict[str, Any], metric: str) -> dict[str, str]:
    """A row for people."""
    expected = row["expected"]
    band = f"{expected['value']:.4f} [{expected['low']:.4f}, {expected['high']:.4f}]" if expected else "-"
    return {**row, metric: cell(row[metric]), "at its end": band}


def columns(metric: str) -> tuple[str, ...]:
    """What a table of them shows."""
    return ("trial", "state", "family", "report", metric, "at its end")
