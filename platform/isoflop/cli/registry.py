"""`isoflop register`, `promote` and `registry`: finalists in MLflow's model registry."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop.cli.output import Json, emit, table

Name = Annotated[str, typer.Argument(metavar="NAME", help="A registered model, as isoflop registry lists it.")]
COLUMNS = ("name", "version", "aliases", "run", "test", "data digest")
EARNED = "isoflop.test_"
"""What the tag begins with that says the share of test images answered rightly."""


def register(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A finalist: STUDY/NUMBER, its first seed, or STUDY/NUMBER.REPLICATE.")
    ],
    name: Annotated[str | None, typer.Option(help="The registered model; default: the data set's name.")] = None,
    json: Json = False,
) -> None:
    """Register a finalist as the challenger of a model in MLflow's registry, and say how to serve it.

    The model takes image files and is loaded without pickle by mlflow models serve, mlflow.pyfunc.load_model and
    isoflop.load_model; docs/registry.md has examples.
    """
    from isoflop.registry.promotion import register as add

    version = add(run, name=name)
    if json:
        emit({"name": version.name, "version": version.number, "run": version.run, "aliases": list(version.aliases)})
        return
    aliases = ", ".join(version.aliases)
    typer.echo(f"{version} is {version.run}, {aliases}; it is models:/{version.name}/{version.number} to MLflow")
    if "challenger" in version.aliases:
        typer.echo(f"next: isoflop promote {version.name}")


def promote(name: Name, json: Json = False) -> None:
    """Make a model's challenger the champion, if it passes the gates; exit code 1 where it is refused.

    Gate reload: fetched from MLflow's store and loaded, it answers validation as is stored. Gate better: of the stored
    answers on the test set of the same data it has more right than the champion's, by a paired test with p below 0.05.
    The first champion needs the first gate alone. No test set is opened.
    """
    from isoflop.registry.promotion import promote as challenge

    done = challenge(name)
    if json:
        emit(done.to_dict())
    else:
        for line in done.lines():
            typer.echo(line)
    if not done.promoted:
        raise typer.Exit(1)


def registry(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One registered model; default: all.")] = None,
    json: Json = False,
) -> None:
    """List the models of MLflow's registry: versions, who is champion and challenger, and their runs."""
    from isoflop.registry.promotion import registered

    rows = registered(name)
    if json:
        emit(rows)
        return
    shown = [
        {
            **row,
            "aliases": ", ".join(row["aliases"]) or "-",
            "test": next((text for key, text in row["tags"].items() if key.startswith(EARNED)), None),
            "data digest": row["tags"].get("isoflop.data_digest"),
        }
        for row in rows
    ]
    table(shown, COLUMNS, empty="nothing is registered yet: isoflop register RUN, a row of the leaderboard")
