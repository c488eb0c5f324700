"""Finalists as JSON values and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from isoflop.records import Result
from isoflop.statistics import Hits
from isoflop.tasks import kind_of
from isoflop.tracking.hits import decode, encode

TUPLES = ("seeds", "verdicts", "faults")


def to_json(result: Result) -> dict[str, Any]:
    """A result; its hits as text, a seed each."""
    told = {one.name: getattr(result, one.name) for one in fields(Result)}
    return told | {
        "task": result.task.name,
        "values": {name: list(values) for name, values in result.values.items()},
        "hits": {split: [encode(one) for one in many] for split, many in result.hits.items()},
    }


def from_json(told: Mapping[str, Any]) -> Result:
    """The result that `to_json` told."""
    values = {name: tuple(many) for name, many in told["values"].items()}
    hits = {split: _stacked(many) for split, many in told["hits"].items()}
    tuples = {name: tuple(told[name]) for name in TUPLES}
    return Result(**{**told, **tuples, "values": values, "hits": hits, "task": kind_of(told["task"])})


def _stacked(texts: list[str]) -> Hits:
    found = [decode(text) for text in texts]
    return np.stack([one for one in found if one is not None])
