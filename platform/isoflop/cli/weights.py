"""`isoflop weights`: weights that studies may begin with or learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isoflop.cli.output import Json, amount, emit, table
from isoflop.errors import Fault, InputError

if TYPE_CHECKING:
    from isoflop.home import Home

app = typer.Typer(help="Store weights that trainings may begin with or learn from.", no_args_is_help=True)


@app.command()
def add(
    what: Annotated[
        str, typer.Argument(metavar="FAMILY|RUN", help="A family, such as resnet, or a finalist as STUDY/NUMBER.")
    ],
    variant: Annotated[str, typer.Option(help="A published net, such as 50 or b3; default: the first.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help="A .safetensors, .pt or .pth file of the net in torchvision or timm, or of a training of ours; "
            "default: what the library publishes, which may need the network."
        ),
    ] = None,
) -> None:
    """Store weights of a published net or of a finalist, and print the name that `model.weights` in a spec takes.

    A net that begins with them must have the published shape (`isoflop describe FAMILY --variant V`) or the finalist's;
    image size, channels and classes may differ and are adapted. With `train.freeze: true` its head alone is trained. A
    finalist can be a teacher too: `distill.teacher`.
    """
    from isoflop.home import Home

    home = Home.find().ensure()
    if "/" in what:
        if variant or file:
            raise InputError(Fault(what, "a run has no variant and no file", "leave --variant and --file out"))
        from isoflop.starts import add_run

        tell(add_run(what, home=home), teacher=True)
    else:
        tell(_published(what, variant, file, home))


def tell(path: Path, *, teacher: bool = False) -> None:
    """Say under which name weights were stored."""
    typer.echo(f"{path.stem}: {path.stat().st_size / 1e6:.1f} MB in {path}")
    typer.echo(f"in a spec: model.weights: {path.stem}" + (f", or distill.teacher: {path.stem}" if teacher else ""))


def _published(family: str, variant: str, file: Path | None, home: Home) -> Path:
    from isoflop.cli.hub import give_up_early
    from isoflop.cli.progress import counting

    give_up_early()
    from isoflop.models.pretrained.store import add as store

    with counting(f"weights of {family} {variant}".rstrip()):
        return store(family, variant, folder=home.weights, file=file)


@app.command("list")
def listing(json: Json = False) -> None:
    """List the weights in the state folder: what they are of, where they came from, and what that took."""
    from isoflop.home import Home
    from isoflop.weights import listed

    rows = listed(Home.find().weights)
    if json:
        emit(rows)
        return
    columns = (
        "name",
        "family",
        "variant",
        "channels",
        "classes",
        "pixels",
        "size",
        "method",
        "FLOPs",
        "data",
        "source",
    )
    shown = [{**row, "FLOPs": None if row["spent"] is None else amount(row["spent"])} for row in rows]
    table(shown, columns, empty="no weights yet; run: isoflop weights add FAMILY --variant V")
