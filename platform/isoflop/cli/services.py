"""`isoflop dashboard`, `mlflow` and `doctor`: open pages on loopback, find what is wrong."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
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
    """Open MLflow's own pages on loopback, on the database of MLFLOW_TRACKING_URI or the one in the state folder."""
    from isoflop.errors import Fault, InputError
    from isoflop.home import Home
    from isoflop.tracking.address import VARIABLE, tracking_uri
    from isoflop.tracking.redaction import hide_userinfo

    home = Home.find().ensure()
    uri = tracking_uri(home)
    if uri.startswith("http"):
        raise InputError(Fault(VARIABLE, f"{hide_userinfo(uri)} is a server", "open its pages there, or unset it"))
    options = ("--host", LOOPBACK, "--port", str(port), "--workers", "1")
    stores = ("--default-artifact-root", str(home.mlflow_artifacts))
    command = [sys.executable, "-m", "mlflow", "server", *options, *stores]
    _become(command, {"MLFLOW_BACKEND_STORE_URI": uri})  # it may hold a password, and arguments are seen by all


def _become(command: list[str], more: dict[str, str]) -> NoReturn:
    """Turn this process into the server, so that what ends one ends the other."""
    os.execve(command[0], command, {**os.environ, **QUIET, **more})  # noqa: S606 - no shell is wanted


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Give stale leases back, and make MLflow's records what the journals say.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is installed, which accelerator there is, and whether state folder and MLflow's records are in order.

    MLflow's records are held against the journals: runs left running, runs too many, runs that lack something.
    """
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


def track(
    studies: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY]...", help="Studies; default: all that nobody runs.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URI", help="MLflow's server or database; default: MLFLOW_TRACKING_URI, else the state folder's."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write studies to MLflow from their journals alone: all of a lost or new store, else what is not as it should be.

    A search does so by itself while it runs. Runs that stand and are whole are left alone, so that a second time
    changes nothing. Runs that are too many are deleted as in MLflow's pages: they can be brought back from there.
    """
    from isoflop.doctor import track as track_all
    from isoflop.home import Home
    from isoflop.journal.sqlite import SqliteJournal
    from isoflop.outcome import known
    from isoflop.tracking.store import Store

    home = Home.find()
    readonly = SqliteJournal.open_readonly(home.journal)
    for study in studies or ():
        known(study, Store(readonly, home.path))
    rows = []
    for mended in track_all(home, SqliteJournal(home.journal), *(studies or ()), uri=to):
        rows.append(asdict(mended))
        if not json:
            typer.echo(str(mended))
    if json:
        emit(rows)
    elif not rows:
        typer.echo("no study that nobody runs")
