"""What stands with a run in MLflow beside its numbers: the spec, the data set, weights and reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.tracking import MlflowClient
from safetensors import SafetensorError, safe_open

from isoflop.tracking.projection import Update
from isoflop.tracking.redaction import redact_tree

DIGEST_LIMIT = 36
"""Characters of a data set's digest that MLflow takes; the tag `isoflop.data_digest` has all of them."""


def log_files(client: MlflowClient, run: str, update: Update, home: Path) -> None:
    """Write what an update says of files and data. Files that `isoflop gc` took away stay away."""
    if update.spec is not None:
        client.log_dict(run, dict(update.spec), "spec.json")
    if update.data is not None:
        client.log_inputs(run, [_input(update.data)])
    if update.weights:
        _log_weights(client, run, home / update.weights)
    for report in update.reports:
        if (path := home / report).is_file():
            client.log_artifact(run, str(path))


def _input(data: Mapping[str, Any]) -> DatasetInput:
    """A data set as MLflow's own kind of input."""
    source = json.dumps({"uri": str(data.get("path", ""))})
    given = Dataset(str(data["name"]), str(data["digest"])[:DIGEST_LIMIT], "local", source)
    return DatasetInput(given, [InputTag("mlflow.data.context", "training")])


def _log_weights(client: MlflowClient, run: str, path: Path) -> None:
    """Weights, and their header as `config.json`."""
    if not path.is_file():
        return
    client.log_artifact(run, str(path))
    if header := read_header(path):
        client.log_dict(run, redact_tree(header), "config.json")


def read_header(path: Path) -> dict[str, object]:
    """What stands in the header of a safetensors file, JSON texts decoded; empty where it says nothing."""
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, str] = file.metadata() or {}
    except SafetensorError:
        return {}
    return {name: _decoded(text) for name, text in header.items()}


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
