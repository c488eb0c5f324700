"""From the state folder into a net."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from isoflop.models.net import Net
from isoflop.models.pretrained.adapt import adapt
from isoflop.weights import check


def load(net: Net, path: Path, name: str) -> None:
    """Put weights of a name into a net; what they have nothing for stays as it is (`adapt.py`).

    Images are normalized with their own data set's statistics, not with those that the weights were trained with.
    Raises `UnknownError` where there is no such file, `DataError` where it is torn or was changed, and `SpecError`
    where the weights do not fit.
    """
    check(path, name)
    net.load_state_dict(adapt(load_file(path), net), strict=False)
