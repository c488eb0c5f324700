"""From the state folder into a net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.models.net import Net
from isoflop.models.pretrained.adapt import HEADS, Weights, adapt
from isoflop.weights import About, check, misfit


def load(net: Net, path: Path, model: ModelConfig, *, labels: Sequence[str]) -> None:
    """Put the weights that a model names into its net; what they have nothing for stays as it is (`adapt.py`).

    `labels` are the names of the data's classes: of a training of ours on others the head is left out, also where they
    are as many. Images are normalized with their own data set's statistics, not with those that the weights were
    trained with. Raises `UnknownError` where there is no such file, `DataError` where it is torn or was changed, and
    `SpecError` where the weights do not fit.
    """
    check(path, model.weights)
    about = About.read(path)
    if fault := misfit(about, model, model.weights):
        raise SpecError(fault)
    weights: Weights = load_file(path)
    if about.origin is not None and about.origin.labels != tuple(labels):
        weights = {key: value for key, value in weights.items() if not key.startswith(HEADS)}
    net.load_state_dict(adapt(weights, net), strict=False)
