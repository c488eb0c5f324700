"""`isoflop weights`: pretrained weights that studies may begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.output import Json, emit, table

app = typer.Typer(help="Store pretrained weights that trainings may begin with.", no_args_is_help=True)


@app.command()
def add(
    family: Annotated[str, typer.Argument(help="A family, such as resnet.")],
    variant: Annotated[str, typer.Option(help="A published net, such as 50 or b3; default: the first.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            help="A .safetensors, .pt or .pth file of the net in torchvision or timm, or of a training of ours; "
            "default: what the library publishes, which may need the network."
        ),
    ] = None,
) -> None:
    """Store weights of a published net, and print the name that `model.weights` in a spec takes.

    A net that begins with them must have the published shape (`isoflop describe FAMILY --variant V`); image size,
    channels and classes may differ and are adapted. With `train.freeze: true` its head alone is trained.
    """
    from isoflop.cli.hub import give_up_early
    from isoflop.cli.progress import counting
    from isoflop.home import Home

    give_up_early()
    from isoflop.models.pretrained.store import add as store

    home = Home.find().ensure()
    with counting(f"weights of {family} {variant}".rstrip()):
        path = store(family, variant, folder=home.weights, file=file)
    typer.echo(f"{path.stem}: {path.stat().st_size / 1e6:.1f} MB in {path}")
    typer.echo(f"in a spec: model.weights: {path.stem}")


@app.command("list")
def listing(json: Json = False) -> None:
    """List the weights in the state folder: what they are of, and where they came from."""
    from isoflop.home import Home
    from isoflop.weights import listed

    rows = listed(Home.find().weights)
    if json:
        emit(rows)
        return
    columns = ("name", "family", "variant", "channels", "classes", "pixels", "size", "source")
    table(rows, columns, empty="no weights yet; run: isoflop weights add FAMILY --variant V")
