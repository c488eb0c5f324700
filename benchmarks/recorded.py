"""Curves that `benchmarks.trained_curves` left, read without what it takes to train."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_name("trained_curves.json")
SCHEDULES: Mapping[str, int] = {"cosine": 40, "constant": 8}
"""How many trainings with each schedule."""


def recorded(schedule: str, metric: str) -> list[list[float]]:
    """Of each training a metric at every report."""
    return [row[metric] for row in json.loads(FILE.read_text())[schedule]]
