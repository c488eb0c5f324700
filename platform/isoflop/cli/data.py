"""`isoflop data`: prepare data sets and look at their health."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop.cli.output import Json, emit, table

app = typer.Typer(help="Prepare data sets and look at their health.", no_args_is_help=True)
What = Annotated[
    str,
    typer.Argument(
        help="digits, digits_attributes, fashion_mnist, cifar10, cifar100; a folder of class folders; a folder with "
        "train/val/test; a folder of IDX files; or a CSV of path,label[,split][,group], of several labels an image "
        "path,labels (cat|dog) or path and a column of 0 and 1 a class."
    ),
]


@app.command()
def prepare(
    what: What,
    name: Annotated[str | None, typer.Option(help="Name of the prepared set; by default that of WHAT.")] = None,
    resolution: Annotated[int | None, typer.Option(min=8, max=1024, help="Pixels of a side to store.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    val: Annotated[float | None, typer.Option(help="Share of the images for validation.")] = None,
    test: Annotated[float | None, typer.Option(help="Share of the images for the test.")] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Images of a shard, read in one run; by default shards are for sets of more than half the memory.",
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a set of this name made of other data.")] = False,
) -> None:
    """Prepare a data set once: uint8 arrays, fixed stratified splits, statistics and a digest."""
    from isoflop.cli.progress import counting
    from isoflop.data import prepare as make
    from isoflop.home import Home

    home = Home.find().ensure()
    with counting("preparing") as progress:
        done = make(
            what,
            root=home.data,
            name=name,
            resolution=resolution,
            seed=seed,
            val=val,
            test=test,
            shard=shard_size,
            replace=replace,
            progress=progress,
        )
    for line in done.lines():
        typer.echo(line)


@app.command()
def check(what: What, json: Json = False) -> None:
    """Report class balance, duplicates within and across splits, and unreadable files."""
    from isoflop.cli.progress import counting
    from isoflop.data import check as examine
    from isoflop.home import Home

    prepared = Home.find().data / what
    with counting("checking") as progress:
        report = examine(str(prepared) if (prepared / "manifest.json").is_file() else what, progress=progress)
    if json:
        emit(report.to_dict())
    else:
        for line in report.lines():
            typer.echo(line)


@app.command("list")
def listing(json: Json = False) -> None:
    """List the prepared data sets of the state folder: task, classes, images of each split, digest."""
    from isoflop.data import listed
    from isoflop.home import Home

    rows = listed(Home.find().data)
    if json:
        emit(rows)
        return
    columns = ("name", "task", "classes", "image", "train", "val", "test", "size", "digest", "source")
    table(rows, columns, empty="no prepared data yet; run: isoflop data prepare digits")
