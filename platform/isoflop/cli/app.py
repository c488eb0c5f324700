"""All commands by name."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from isoflop.cli import (
    analysis,
    control,
    data,
    followup,
    ledger,
    models,
    pretraining,
    registry,
    reproduction,
    results,
    scaling,
    services,
    studies,
    weights,
)
from isoflop.cli import jobs as ray_jobs

app = typer.Typer(
    name="isoflop",
    help="Find, scale and compare image models at equal compute.",
    epilog="First steps: isoflop data prepare digits; isoflop search search_spaces/smoke.yaml; isoflop leaderboard",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"isoflop {version('isoflop')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find, scale and compare image models at equal compute."""


app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")
app.add_typer(models.spaces, name="space")
app.add_typer(ray_jobs.app, name="jobs")
for command in (
    models.families,
    models.describe,
    models.solve,
    pretraining.pretrain,
    studies.search,
    studies.resume,
    studies.extend,
    studies.finalists,
    followup.ablate,
    followup.cross_validate,
    scaling.scale,
    scaling.choose,
    control.stop,
    results.studies,
    results.show,
    results.trials,
    control.logs,
    control.gc,
    results.leaderboard,
    ledger.ledger,
    results.export,
    results.metrics,
    analysis.errors,
    analysis.analyze,
    results.predict,
    registry.register,
    registry.promote,
    registry.registry,
    reproduction.reproduce,
    reproduction.export_stage,
    ray_jobs.submit,
    services.dashboard,
    services.mlflow,
    services.track,
    services.doctor,
):
    app.command()(command)
