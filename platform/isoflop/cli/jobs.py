"""`isoflop submit` and `isoflop jobs`: run studies on a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.output import Json, emit, table

app = typer.Typer(help="Jobs on a Ray cluster.", no_args_is_help=True)
Address = Annotated[
    str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="The cluster's dashboard, such as http://127.0.0.1:8265.")
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id.")]
LOCAL = "http://127.0.0.1:8265"


def submit(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML file with `space:` and `study:`.")],
    address: Address = LOCAL,
    study: Annotated[str | None, typer.Option(help="Id of the study; default: a fresh one.")] = None,
) -> None:
    """Run a search as a job on a Ray cluster and print the job's id."""
    from isoflop.cluster import submit as send
    from isoflop.running import legal_id

    if study is not None:
        legal_id(study)
    typer.echo(send(spec, address=address, study=study))


@app.command("list")
def list_jobs(address: Address = LOCAL, json: Json = False) -> None:
    """List the cluster's jobs."""
    from isoflop.cluster import jobs

    rows = jobs(address)
    if json:
        emit(rows)
    else:
        table(rows, ("id", "status", "entrypoint"), empty="no jobs")


@app.command()
def status(job: JobId, address: Address = LOCAL) -> None:
    """Say where a job stands."""
    from isoflop.cluster import status as look

    typer.echo(look(job, address))


@app.command()
def logs(
    job: JobId,
    address: Address = LOCAL,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Stay until the job ends.")] = True,
) -> None:
    """Print a job's output, and what it goes on to print."""
    from isoflop.cluster import logs as read

    for text in read(job, address, follow=follow):
        typer.echo(text, nl=False)


@app.command()
def stop(job: JobId, address: Address = LOCAL) -> None:
    """Stop a job; what was finished stands in the journal."""
    from isoflop.cluster import stop as end

    typer.echo("stopped" if end(job, address) else "was over already")
