"""What a spec names of the state folder, found there and held against the data: weights and difficulties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isoflop.config import GIVEN, STORED, TEACHER, WEIGHTS
from isoflop.data import PreparedData
from isoflop.data.difficulty import given
from isoflop.errors import Fault, SpecError
from isoflop.home import Home
from isoflop.space import SearchSpace
from isoflop.spec import Spec
from isoflop.weights import About, leak, misfit, unsuited


def named_weights(space: SearchSpace, home: Home) -> dict[str, About]:
    """What stands in the header of all weights that a space names. Raises `UnknownError` where some are missing."""
    for key in STORED:
        home.check_weights(_names(space, key), key)
    names = {name for key in STORED for name in _names(space, key)}
    return {name: About.read(home.weights_file(name)) for name in sorted(names)}


def teachers(stored: Mapping[str, About]) -> dict[str, float]:
    """FLOPs of one image's forward pass of each net that trials can learn from, by its name."""
    return {name: about.origin.forward for name, about in stored.items() if about.origin}


def check_named(spec: Spec, home: Home, prepared: PreparedData) -> None:
    """Raise `UnknownError` where a spec names weights or difficulties that the state folder does not have.

    Raises `SpecError` where weights do not fit the families' defaults, which are the nearest to what is fixed, or where
    a teacher knows other classes than the data have, or where either knows images that validate or test here, and
    `DataError` where difficulties are of other images.
    """
    for name in _names(spec.space, GIVEN):
        given(name, home.difficulties, {"train": prepared.manifest.sizes["train"]})
    stored = named_weights(spec.space, home)
    if faults := [*_misfits(spec, stored), *_unsuited(spec, stored, prepared), *_leaks(spec, stored, prepared)]:
        raise SpecError(*faults)


def _names(space: SearchSpace, key: str) -> list[str]:
    """What a space names under a key."""
    return [str(name) for name in space.values(key) if name]


def _misfits(spec: Spec, stored: Mapping[str, About]) -> Iterator[Fault]:
    """Of weights that do not fit the default of their family."""
    for name in _names(spec.space, WEIGHTS):
        for family in spec.space.families():
            config = spec.space.config(spec.space.default(family), study=spec.study, data_digest="")
            if config.model.weights == name and (fault := misfit(stored[name], config.model, name)):
                yield fault


def _unsuited(spec: Spec, stored: Mapping[str, About], prepared: PreparedData) -> Iterator[Fault]:
    """Of teachers that cannot teach on the data."""
    for name in _names(spec.space, TEACHER):
        if fault := unsuited(stored[name], name, classes=prepared.classes, channels=prepared.shape[0]):
            yield fault


def _leaks(spec: Spec, stored: Mapping[str, About], prepared: PreparedData) -> Iterator[Fault]:
    """Of weights that know images which validate or test here."""
    digest, request = prepared.digest, prepared.manifest.origin()["request"]
    for key in STORED:
        for name in _names(spec.space, key):
            if fault := leak(stored[name], name, key, digest=digest, request=request, folded=False):
                yield fault
