"""`isoflop reproduce` and `export-stage`: bring a run back, and hand it to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.output import Json, emit

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="STUDY/NUMBER, of a finalist all its seeds, or STUDY/NUMBER.REPLICATE; or a run.json of export-stage.",
    ),
]


def reproduce(
    run: Run,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far metrics may be off where bits are not equal; default 0.01.")
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Train with the present code, also where it differs.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Train on after the answer is certain, to see all differences.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of the prepared data; default: wherever they are.")] = None,
    into: Annotated[Path | None, typer.Option(help="Folder for verdict.json, records and answers.")] = None,
    json: Json = False,
) -> None:
    """Train a run again, hold it against its record, and write the verdict to it; exit code 1 where it differs."""
    from isoflop.cli.progress import counting
    from isoflop.reproduction.comparison import TOLERANCE, Answer
    from isoflop.reproduction.run import Wish, bring_back

    with counting("reproducing") as progress:
        wish = Wish(
            tolerance=TOLERANCE if tolerance is None else tolerance,
            here=here,
            keep_going=keep_going,
            data=data,
            into=into,
            say=lambda line: typer.echo(f"differs: {line}", err=True),
            progress=progress,
        )
        found = bring_back(run, wish)
    if json:
        emit(found.to_dict())
    else:
        for line in found.lines():
            typer.echo(line)
    if found.answer is Answer.DIFFERENT:
        raise typer.Exit(1)


def export_stage(
    run: Annotated[str, typer.Argument(metavar="RUN", help="STUDY/NUMBER, or STUDY/NUMBER.REPLICATE.")],
    into: Annotated[Path | None, typer.Option(help="Folder to write; default: reproduce-STUDY-NUMBER.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far metrics may be off where bits are not equal; default 0.01.")
    ] = None,
) -> None:
    """Write a run's record and a DVC stage that brings it back, for others to run with `dvc repro`."""
    from isoflop.reproduction.comparison import TOLERANCE
    from isoflop.reproduction.stage import export_stage as export

    folder = export(run, into=into, tolerance=TOLERANCE if tolerance is None else tolerance)
    typer.echo(f"wrote {folder}/dvc.yaml; next, in a folder under git and DVC: cd {folder} && dvc repro")
