"""Weights into the state folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from isoflop.disk import draft
from isoflop.errors import DataError, Fault, SpecError, UnknownError, did_you_mean
from isoflop.families import family
from isoflop.models.pretrained.adapt import Weights, adapt, classes_of, first_convolution
from isoflop.models.pretrained.convert import convert, published
from isoflop.models.pretrained.fetch import Fetch, from_file, from_library
from isoflop.models.reference import REFERENCES
from isoflop.weights import DIGITS, About, Origin, digest


def add(name: str, variant: str = "", *, folder: Path, file: Path | None = None, fetch: Fetch = from_library) -> Path:
    """Store weights of a published net under our keys, named by their content, and return the file.

    They come from a local file, whose keys are those of the library's net or our own, or else from the library. Equal
    weights are stored once. Raises `UnknownError` for an unknown family or variant, `DataError` where they cannot be
    had or are of another net, `StateError` where the disk refuses.
    """
    chosen = _variant(name, variant)
    try:
        found = convert(fetch(name, chosen) if file is None else from_file(file), name, chosen)
        weights = {key: _plain(value) for key, value in found.items()}
        about = _about(weights, name, chosen, source=_source(name, chosen, file))
    except DataError as error:
        where = str(file) if file else f"{name} {chosen}"
        raise DataError(*(Fault(fault.where or where, fault.what, fault.remedy) for fault in error.faults)) from None
    return _write(folder, weights, about)


def add_own(weights: Weights, origin: Origin, *, folder: Path, source: str) -> Path:
    """Store what one of our own trainings left, named by its content, and return the file.

    Raises `StateError` where the disk refuses.
    """
    model = origin.model
    about = About(
        family=model.family,
        variant=model.variant,
        channels=origin.image[0],
        classes=len(origin.labels),
        pixels=model.resolution or origin.image[1],
        source=source,
        origin=origin,
    )
    return _write(folder, {key: _plain(value) for key, value in weights.items()}, about)


def _variant(name: str, variant: str) -> str:
    known = family(name).variants
    if not known:
        raise UnknownError(Fault(name, "was published at no shape of its own", "give another family"))
    if variant and variant not in known:
        raise UnknownError(Fault("--variant", f"{name} has no variant {variant!r}", did_you_mean(variant, known)))
    return variant or next(iter(known))


def _about(weights: Weights, name: str, variant: str, *, source: str) -> About:
    """What weights are of. Raises `DataError` where they do not fit the published net."""
    channels, classes = weights[first_convolution(weights)].shape[1], classes_of(weights)
    auxiliary = any(key.startswith("auxiliary.") for key in weights)
    net = published(name, variant, channels=channels, classes=classes, auxiliary=auxiliary)
    try:
        kept = adapt(weights, net)
    except SpecError:
        kept = {}
    if kept.keys() != weights.keys():
        other = next((key for key, like in net.state_dict().items() if weights[key].shape != like.shape), "")
        what = f"these are weights of another net than {name} {variant}: {other} has another shape"
        raise DataError(Fault("", what, "name the family and the variant that they are of"))
    return About(
        family=name,
        variant=variant,
        channels=channels,
        classes=classes,
        pixels=family(name).pixels(variant),
        source=source,
    )


def _source(name: str, variant: str, file: Path | None) -> str:
    """Where weights came from, without a file's path: it would decide the hash."""
    return REFERENCES[name, variant] if file is None else f"file {digest(file)[:DIGITS]}"


def _plain(value: Tensor) -> Tensor:
    """In single precision, by itself in memory."""
    return (value.float() if value.is_floating_point() else value).detach().clone(memory_format=torch.contiguous_format)


def _write(folder: Path, weights: dict[str, Tensor], about: About) -> Path:
    with draft(folder, f"{about.family}.safetensors") as beside:
        try:
            save_file(weights, beside.path, metadata=about.header())
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(*(int(number[1]), os.strerror(int(number[1]))) if number else (0, str(error))) from None
        return beside.publish(folder / f"{about.name(beside.path)}.safetensors")
