"""Where records go, as users of MLflow say it: to MLFLOW_TRACKING_URI, else into the state folder."""

from __future__ import annotations

import os
from pathlib import Path

from isoflop.home import Home
from isoflop.tracking.protocol import Mendable

VARIABLE = "MLFLOW_TRACKING_URI"


def tracking_uri(home: Home) -> str:
    """MLflow's server or database."""
    return os.environ.get(VARIABLE) or f"sqlite:///{home.mlflow}"


def local_file(uri: str) -> Path | None:
    """The file of a database that is one."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def open_tracker(home: Home, uri: str) -> Mendable:
    """A tracker at an address, made where it is a file that is not there. Raises `StateError` where it cannot be."""
    from isoflop.tracking.mlflow_tracker import MlflowTracker  # seconds, and only here

    return MlflowTracker(uri, artifacts=home.mlflow_artifacts, home=home.path)
