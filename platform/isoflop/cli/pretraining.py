"""`isoflop pretrain`: train a body without labels, for others to begin with."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isoflop.cli.weights import tell

if TYPE_CHECKING:
    from isoflop.config import PretrainConfig, TrialConfig
    from isoflop.families import Scalar
    from isoflop.home import Home
    from isoflop.records import Record

PREFIX = "pretrain."
REPORTS = 20


def pretrain(
    family: Annotated[str, typer.Argument(help="A family, such as resnet.")],
    data: Annotated[str, typer.Option(help="Prepared data set, of whose training images no label is used.")],
    epochs: Annotated[float, typer.Option(min=0, help="How often each image is seen.")] = 100.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order, views and masks.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting: model.width=0.5, pretrain.method=simmim."),
    ] = None,
) -> None:
    """Train a family's body on images without labels, and print the name that `model.weights` in a spec takes.

    By default by contrast (`pretrain.method=simclr`), where what `augment.*` changes makes the two views of an image;
    `pretrain.method=simmim` has hidden patches painted. The same command goes on with what was interrupted.
    """
    from isoflop.config import TrialConfig
    from isoflop.data import open_prepared
    from isoflop.home import Home

    home = Home.find().ensure()
    folder = home.data_set(data)
    prepared = open_prepared(folder)
    params, how = _settings(settings or (), family)
    plain: dict[str, Scalar] = {
        "data.name": prepared.name,
        "data.digest": prepared.digest,
        "augment.crop": prepared.shape[1] // 8,
        "augment.flip": True,
        "train.horizon": epochs,
        "train.reports": max(1, min(REPORTS, int(epochs))),
    }
    config = TrialConfig.from_params({"model.family": family, **_recipe(family), **plain, **params})
    tell(_trained(config, how, seed, folder, home))


def _trained(config: TrialConfig, how: PretrainConfig, seed: int, folder: Path, home: Home) -> Path:
    """Train to the end, from where it was interrupted. Raises `StudyError` where the training fails."""
    from isoflop.errors import StudyError, TrialError
    from isoflop.pretraining import pretrain as begin
    from isoflop.provenance import code_version
    from isoflop.seeds import derive

    owner = f"{derive(seed, config.fingerprint(code_version()), how.model_dump_json()):016x}"
    checkpoints = home.pretraining(owner)
    try:
        run = begin(config, how, seed, data=folder, checkpoints=checkpoints)
        if run.step:
            typer.echo(f"go on after step {run.step}", err=True)
        for record in run:
            run.save(record.report)
            typer.echo(_line(record, config.train.reports), err=True)
    except TrialError as error:
        raise StudyError(str(error)) from None
    (artifact,) = run.finish(home.weights)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return Path(artifact.path)


def _settings(texts: Iterable[str], family: str) -> tuple[dict[str, Scalar], PretrainConfig]:
    """What was set, of the configuration and of the method. Raises `SpecError` for what cannot be."""
    from isoflop.config import PretrainConfig, known_keys, parse
    from isoflop.errors import Fault, SpecError, did_you_mean
    from isoflop.setting import take

    known = (known_keys(family) | {"train.threads"}) - {"model.family"}
    legal = known | {f"{PREFIX}{name}" for name in PretrainConfig.model_fields}
    params: dict[str, Scalar] = {}
    how: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise SpecError(Fault("--set", f"{text!r} is not KEY=VALUE", "write --set model.width=0.5"))
        if key not in legal:
            raise SpecError(Fault("--set", f"there is no setting {key!r}", did_you_mean(key, legal)))
        if key.startswith(PREFIX):
            how[key.removeprefix(PREFIX)] = value
        else:
            try:
                params[key] = take(key, value, (family,))
            except SpecError as error:
                raise SpecError(*(Fault(f"--set {key}", fault.what, fault.remedy) for fault in error.faults)) from None
    return params, parse(PretrainConfig, how, "pretrain")


def _recipe(family: str) -> dict[str, Scalar]:
    """Where the family's usual recipe differs from the defaults."""
    from isoflop.families import family as row

    return dict(row(family).recipe)


def _line(record: Record, reports: int) -> str:
    """A report in a line."""
    losses = f"train_loss {record.metrics['train_loss']:.4f}, val_loss {record.metrics['val_loss']:.4f}"
    speed = record.measured["images_per_second"]
    return (
        f"[{record.report}/{reports}] epoch {record.epoch:g}: {losses}, {speed:,.0f} images/s, {record.flops:.3g} FLOPs"
    )
