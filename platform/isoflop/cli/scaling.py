"""`isoflop scale` and `choose`: how families grow, and which size to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isoflop.cli.output import Json, amount, emit, table
from isoflop.cli.studies import Drift, Executor, StudyId

if TYPE_CHECKING:
    from isoflop.compound.choice import Candidate, Quantity
    from isoflop.outcome import Study
    from isoflop.spec import Spec

IMAGES = 200_000
"""That every training sees, where nobody says."""


def scale(
    families: Annotated[list[str] | None, typer.Argument(metavar="[FAMILY]...", help="Families to scale.")] = None,
    spec: Annotated[Path | None, typer.Option(help="A spec with the part study.scale, instead of families.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Prepared data set; default: the spec's or the base's, or digits.")
    ] = None,
    base_flops: Annotated[
        float | None, typer.Option(min=1, help="FLOPs of an image at phi 0; the base's width is solved for it.")
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="STUDY", help="A search whose best trials are the bases.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of all bases: model.depth=0.5.")
    ] = None,
    images: Annotated[float | None, typer.Option(min=1, help="Images that every training sees.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Instead of --images: training FLOPs of all, such as 2e15, or time, such as 4h.")
    ] = None,
    largest: Annotated[float | None, typer.Option(help="The largest phi; default 4.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Trainings of each size; default 3.")] = None,
    shares: Annotated[
        str | None, typer.Option(help="Shares of the training images to train the bases on too: 0.05,0.2.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Trainings side by side; changes no number.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all draws.")] = None,
    executor: Executor = "ray",
    study: Annotated[str | None, typer.Option(help="Id of the study; one that stands goes on.")] = None,
    allow_drift: Drift = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained; train nothing.")] = False,
) -> None:
    """Fit how depth, width and resolution should grow together, climb, predict the next sizes, and check.

    Shapes near surfaces of equal FLOPs are trained and fitted; sizes phi = 0, 0.5, ... are climbed along the fitted
    line; the largest two are predicted, and the prediction journalled, before they are trained. The report with its
    tables and plots stands in the state folder.
    """
    from isoflop import compound
    from isoflop.cli.progress import watching
    from isoflop.compound.budget import outlook, within
    from isoflop.data import open_prepared
    from isoflop.study import Bench, override

    bench = Bench.here(executor=executor)
    asked = {"base_flops": base_flops, "largest": largest, "seeds": seeds, "shares": shares and _numbers(shares)}
    given = {name: value for name, value in asked.items() if value is not None}
    if spec is not None:
        loaded = _from_file(spec, families, settings, images, given)
    else:
        loaded = _named(families or [], data, images or IMAGES, given, _read(settings or []), base)
    loaded = override(loaded, data=data, trials=None, time=None, workers=workers, seed=seed)
    prepared = open_prepared(bench.home.data_set(data or loaded.study.data))
    if budget is not None:
        loaded = within(loaded, prepared, budget)
    plan = compound.scaling_plan(loaded, prepared)
    if dry_run:
        for line in outlook(plan):
            typer.echo(line)
        return
    before = bench.journal.read(study) if study else ()
    with watching(loaded.study, plan.trainings, before) as listen:
        done = compound.scale(
            loaded, data=data, study=study, allow_drift=allow_drift, bench=replace(bench, listeners=(listen,))
        )
    say_report(done)


def choose(
    study: StudyId,
    flops: Annotated[float | None, typer.Option(min=1, help="At most so many FLOPs an image.")] = None,
    parameters: Annotated[float | None, typer.Option(min=1, help="At most so many parameters.")] = None,
    latency: Annotated[float | None, typer.Option(min=0, help="At most so many milliseconds, as measured.")] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="At most so many hours of training, as measured.")] = None,
    json: Json = False,
) -> None:
    """Name the family and shape to take for a budget, and the error to expect, out of a scaling study."""
    from isoflop.compound.choice import candidates
    from isoflop.compound.study import found_of
    from isoflop.errors import Fault, InputError

    given: dict[Quantity, float | None] = {"flops": flops, "parameters": parameters, "latency": latency, "hours": hours}
    budget: dict[Quantity, float] = {name: value for name, value in given.items() if value is not None}
    if not budget:
        raise InputError(Fault("choose", "no budget is given", "give --flops, --parameters, --latency or --hours"))
    rows = candidates(found_of(study), budget)
    if json:
        emit([row.to_dict() for row in rows])
        return
    shown = [_row(row) for row in rows]
    table(shown, tuple(shown[0]), empty="")
    if any(row.extrapolated for row in rows):
        typer.echo("* larger than all that was trained: the fitted line and law are taken to go on")
    typer.echo(f"take {rows[0].family}: {_command(rows[0])}")


def say_report(done: Study) -> None:
    """What a scaling study found, and where it stands."""
    history = done.store.history(done.id)
    if history.reported is None:
        return
    folder = done.store.home
    report = next(folder / file for file in history.reported["files"] if file.endswith(".md"))
    typer.echo(report.read_text(encoding="utf-8"))
    typer.echo(f"report and plots: {report.parent}")
    typer.echo(f"next: isoflop choose {done.id} --flops 5e6")


def _named(
    families: list[str],
    data: str | None,
    images: float,
    scale: Mapping[str, Any],
    settings: Mapping[str, Any],
    base: str | None,
) -> Spec:
    """A spec for families by name; the data set and the metric are those of the search that bases are from."""
    from isoflop.compound.spec import bases_of, scaling_spec
    from isoflop.errors import Fault, InputError
    from isoflop.outcome import load_study
    from isoflop.tasks import metric_of

    if not families:
        raise InputError(Fault("scale", "names no family and no spec", "write: isoflop scale resnet vit --data digits"))
    common: dict[str, Any] = {"images": images, "scale": scale, "settings": settings}
    if base is None:
        return scaling_spec(families, data=data or "digits", **common)
    searched = load_study(base)
    trained = [one.metric for one in searched.spec.study.objectives if metric_of(one.metric)]
    common |= {"metric": trained[0]} if trained else {}
    return scaling_spec(families, data=data or searched.spec.study.data, bases=bases_of(searched, families), **common)


def _from_file(
    spec: Path,
    families: list[str] | None,
    settings: list[str] | None,
    images: float | None,
    scale: Mapping[str, Any],
) -> Spec:
    """A spec from its file, with what was given by name over its part study.scale."""
    from isoflop.document import read_yaml
    from isoflop.errors import Fault, InputError
    from isoflop.spec import load_spec, spec_from_tree

    if families or settings:
        what = "families and --set go with no --spec"
        raise InputError(Fault("scale", what, "write them into the spec, or leave --spec out"))
    load_spec(spec)  # its faults first
    tree: Any = read_yaml(spec)
    study = dict(tree["study"] or {})
    study["scale"] = {**(study.get("scale") or {}), **scale}
    if images is not None:
        study["fidelity"] = {**(study.get("fidelity") or {}), "axis": "images", "horizon": images}
    return spec_from_tree({**tree, "study": study}, where=spec.name, name=spec.stem)


def _read(settings: list[str]) -> dict[str, Any]:
    """Settings as they stand in a spec. Raises `InputError` for what is none."""
    import yaml

    from isoflop.errors import Fault, InputError

    found = {}
    for text in settings:
        key, sign, value = text.partition("=")
        if not sign:
            raise InputError(Fault("--set", f"{text!r} is not KEY=VALUE", "write --set model.width=0.5"))
        found[key] = yaml.safe_load(value)
    return found


def _numbers(text: str) -> list[float]:
    from isoflop.errors import Fault, InputError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(Fault("--shares", f"{text!r} is no list of numbers", "write 0.05,0.2,0.5")) from None


def _row(one: Candidate) -> dict[str, Any]:
    model = one.model
    return {
        "family": one.family,
        "phi": f"{one.phi:.2f}{'*' if one.extrapolated else ''}",
        "shape": f"d{model.depth:.3g} w{model.width:.3g} r{model.resolution}",
        "FLOPs": amount(one.flops),
        "parameters": amount(one.parameters),
        "latency ms": one.latency,
        "hours": one.hours,
        "error": f"{one.error.value:.4f} [{one.error.low:.4f}, {one.error.high:.4f}]",
    }


def _command(one: Candidate) -> str:
    model = one.model
    shape = f"--depth {model.depth:.6g} --width {model.width:.6g} --resolution {model.resolution}"
    return f"isoflop describe {one.family} {shape}"
