"""`isoflop dashboard`, `mlflow` and `doctor`: open pages on loopback, find what is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from isoflop.cli.output import Json, emit
from isoflop.cli.results import FROM, From

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port on loopback.")]
LOOPBACK = "127.0.0.1"
QUIET = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}


def dashboard(port: Port = 8501, source: From = None) -> None:
    """Open the dashboard on loopback, on the state folder or on an MLflow."""
    from isoflop.errors import Fault, InputError
    from isoflop.home import VARIABLE, Home

    app = Path.cwd() / "dashboard" / "app.py"
    if not app.is_file():
        raise InputError(Fault(str(app), "is not there", "run isoflop dashboard in the folder of the project"))
    options = (f"--server.address={LOOPBACK}", f"--server.port={port}", "--browser.gatherUsageStats=false")
    command = [sys.executable, "-m", "streamlit", "run", str(app), *options, "--server.headless=true"]
    _become(command, {VARIABLE: str(Home.find().path), FROM: source or ""})


def mlflow(port: Port = 5000) -> None:
    """Open MLflow's own pages on loopback, on the state folder's database."""
    from isoflop.home import Home

    home = Home.find().ensure()
    store, artifacts = f"sqlite:///{home.mlflow}", str(home.mlflow_artifacts)
    options = ("--host", LOOPBACK, "--port", str(port), "--workers", "1")
    stores = ("--backend-store-uri", store, "--default-artifact-root", artifacts)
    command = [sys.executable, "-m", "mlflow", "server", *options, *stores]
    _become(command, {})


def _become(command: list[str], more: dict[str, str]) -> NoReturn:
    """Turn this process into the server, so that what ends one ends the other."""
    os.execve(command[0], command, {**os.environ, **QUIET, **more})  # noqa: S606 - no shell is wanted


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="End abandoned runs in MLflow, give stale leases back.")] = False,
    json: Json = False,
) -> None:
    """Say what is installed, which accelerator there is, and whether the state folder is in order."""
    from isoflop.doctor import examine, mend

    if fix:
        for line in mend():
            typer.echo(line, err=True)
    findings = examine()
    if json:
        emit([finding.to_dict() for finding in findings])
    else:
        for finding in findings:
            typer.echo(str(finding))
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
