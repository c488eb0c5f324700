"""`isoflop families`, `describe` and `space`: what can be searched and what it costs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.output import Json, emit, table

spaces = typer.Typer(help="Check specs, and print their JSON schema for editors.", no_args_is_help=True)
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="A YAML file with `space:` and `study:`.")]
Family = Annotated[str, typer.Argument(help="A family, such as resnet.")]
Variant = Annotated[str | None, typer.Option(help="A published net, such as 50 or b3; default: the first.")]
Depth = Annotated[float, typer.Option(help="Multiplier of the base depth.")]
Width = Annotated[float, typer.Option(help="Multiplier of the base width.")]
Resolution = Annotated[int | None, typer.Option(help="Pixels of a side; default: the variant's.")]
Channels = Annotated[int, typer.Option(help="Channels of the images.")]
Classes = Annotated[int, typer.Option(help="Number of classes.")]
Stem = Annotated[int | None, typer.Option(help="Stride of the stem or patch size; default: as published.")]
Knobs = Annotated[list[str] | None, typer.Option(help="A setting of the family's own: norm=batch.")]


class Varied(StrEnum):
    """What `solve` varies."""

    DEPTH = "depth"
    WIDTH = "width"
    RESOLUTION = "resolution"
    COMPOUND = "compound"


def families(json: Json = False) -> None:
    """List the families of architectures: knobs, published variants with their sizes, and papers."""
    from isoflop.cli.listing import SCALED, brief, full
    from isoflop.families import families as known

    if json:
        emit([full(row) for row in known().values()])
    else:
        columns = ("name", "parameters", "variants", "knobs", "paper")
        title = f"Knobs of every family: {', '.join(SCALED)}. A variant: describe FAMILY --variant VARIANT."
        table([brief(row) for row in known().values()], columns, empty="no families", title=title)


def describe(
    family: Family,
    variant: Variant = None,
    phi: Annotated[float, typer.Option(help="Compound coefficient.")] = 0.0,
    depth: Depth = 1.0,
    width: Width = 1.0,
    resolution: Resolution = None,
    channels: Channels = 3,
    classes: Classes = 1000,
    stem: Stem = None,
    knob: Knobs = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that train at once, for the memory.")] = 1,
    layers: Annotated[bool, typer.Option("--layers", help="List every layer.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Time it here, and see how far it really sees.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw its stages into this file.")] = None,
    json: Json = False,
) -> None:
    """Print a family's shape, parameters, FLOPs, memory and receptive field at a size, without building weights."""
    from isoflop.cli.describe import Asked, lines
    from isoflop.cli.measured import Measured

    asked = Asked.of(
        family,
        {"variant": variant, "phi": phi, "depth": depth, "width": width, "stem": stem},
        resolution=resolution,
        channels=channels,
        classes=classes,
        knobs=knob or [],
    )
    if plot:
        asked.draw(plot)
    found = asked.cost(batch)
    measured = Measured.of(asked) if measure else None
    if json:
        emit(found.to_dict() | ({"measured": measured.to_dict()} if measured else {}))
        return
    for line in [*lines(found), *(measured.lines() if measured else [])]:
        typer.echo(line)
    if layers:
        rows = found.to_dict()["layers"]
        table(rows, tuple(rows[0]), empty="no layers")


def solve(
    family: Family,
    flops: Annotated[float | None, typer.Option(help="FLOPs of one image's forward pass: 1e8.")] = None,
    parameters: Annotated[float | None, typer.Option(help="Number of weights: 5e6.")] = None,
    latency: Annotated[float | None, typer.Option(help="Milliseconds of one image here, measured.")] = None,
    vary: Annotated[Varied, typer.Option(help="What is varied; compound is all three by phi.")] = Varied.COMPOUND,
    variant: Variant = None,
    depth: Depth = 1.0,
    width: Width = 1.0,
    resolution: Resolution = None,
    channels: Channels = 3,
    classes: Classes = 1000,
    stem: Stem = None,
    knob: Knobs = None,
    json: Json = False,
) -> None:
    """Find the shape of a family that is nearest to a budget, so that families can be compared at equal compute."""
    from isoflop.cli.describe import Asked
    from isoflop.cli.solving import Solved

    asked = Asked.of(
        family,
        {"variant": variant, "depth": depth, "width": width, "stem": stem},
        resolution=resolution,
        channels=channels,
        classes=classes,
        knobs=knob or [],
    )
    found = Solved.of(asked, {"flops": flops, "parameters": parameters, "latency": latency}, vary.value)
    if json:
        emit(found.to_dict())
        return
    for line in found.lines():
        typer.echo(line)


@spaces.command("check")
def check(
    spec: SpecFile,
    data: Annotated[str | None, typer.Option(help="Prepared data set; default: the spec's.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Configurations to draw for the feasible share.")] = 200,
    json: Json = False,
) -> None:
    """Check a spec: every fault at once, its size, and the share of it that is feasible."""
    from isoflop.cli.listing import solved
    from isoflop.data import open_prepared
    from isoflop.feasibility import feasible_share
    from isoflop.home import Home
    from isoflop.named import check_named
    from isoflop.spec import load_spec

    loaded = load_spec(spec)
    home = Home.find()
    folder = home.data_set(data or loaded.study.data)
    check_named(loaded, home, open_prepared(folder))
    share = feasible_share(loaded, folder, samples=samples)
    if json:
        emit({"spec": str(spec), "size": loaded.space.size(), "families": loaded.space.families(), **share.to_dict()})
        return
    rows = [*loaded.space.describe(), *solved(loaded)]
    table(rows, ("key", "kind", "range", "when"), empty="nothing varies")
    size = loaded.space.size()
    typer.echo(f"size: {f'{size:,} configurations' if size is not None else 'continuous'}")
    for line in share.lines():
        typer.echo(line)


@spaces.command("schema")
def schema() -> None:
    """Print the JSON schema of specs, for editors that complete and check YAML."""
    from isoflop.schema import json_schema

    emit(json_schema())
