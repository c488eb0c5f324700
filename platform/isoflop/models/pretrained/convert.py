"""Weights under the keys of torchvision, timm or our own, as ours."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.errors import DataError, Fault
from isoflop.families import family
from isoflop.models.counting import undrawn
from isoflop.models.net import Net
from isoflop.models.pretrained.adapt import Weights
from isoflop.models.reference import COMPUTED, REFERENCES, is_auxiliary, place, reference
from isoflop.models.registry import build

AGED = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$")
"""Keys of DenseNets that torchvision published before modules' names were forbidden to have dots; it has the same."""
COUNTER = "num_batches_tracked"
"""What batch norms count since torch 0.4; older files are without."""


def published(name: str, variant: str, *, channels: int, classes: int, auxiliary: bool) -> Net:
    """The published net on the meta device, without auxiliary heads where they are not wanted."""
    row = family(name)
    extra = {"auxiliary": auxiliary} if "auxiliary" in row.knobs else {}
    side = row.pixels(variant)
    with undrawn():
        model = ModelConfig.model_validate({**row.canonical(variant), **extra})
        return build(model, image=(channels, side, side), classes=classes)


def convert(weights: Weights, name: str, variant: str) -> dict[str, Tensor]:
    """Weights of a published net under our keys and in our order.

    Raises `DataError` where their keys are neither ours nor those of the library's net.
    """
    nets = [published(name, variant, channels=3, classes=1000, auxiliary=wanted) for wanted in (True, False)]
    ours = [list(net.state_dict()) for net in nets]
    for keys in ours:
        if weights.keys() == set(keys):
            return {key: weights[key] for key in keys}
    if (name, variant) not in REFERENCES:
        what = f"its keys are not those of {name} {variant}, and neither torchvision nor timm has such a net"
        raise DataError(Fault("", what, "give the weights that one of our trainings left"))
    with torch.device("cpu" if name in COMPUTED else "meta"):
        net = reference(name, variant)
    auxiliary = any(map(is_auxiliary, weights))
    theirs = [key for key in net.state_dict() if auxiliary or not is_auxiliary(key)]
    known = dict(_modern(weights, net, theirs))
    _check(known, theirs, REFERENCES[name, variant])
    return dict(zip(ours[0 if auxiliary else 1], (known[key] for key in sorted(theirs, key=place)), strict=True))


def _modern(weights: Weights, net: nn.Module, keys: list[str]) -> Iterator[tuple[str, Tensor]]:
    """Weights under the keys that the library's net has today, as the library itself would load them."""
    # By this name timm's modules have what mends older files, and what interpolates to the published pixels.
    mend = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    mended: Mapping[str, Tensor] = mend(dict(weights), net) if mend and _is_timm(net) else weights
    yield from ((AGED.sub(r"\1\2", key), value) for key, value in mended.items())
    for key in keys:
        if key.endswith(COUNTER) and key not in mended:
            yield key, torch.tensor(0)


def _is_timm(net: nn.Module) -> bool:
    return type(net).__module__.startswith("timm.")


def _check(weights: Mapping[str, Tensor], keys: list[str], library: str) -> None:
    missing = [key for key in keys if key not in weights]
    strange = [key for key in weights if key not in set(keys)]
    if missing or strange:
        found = [f"{len(missing)} keys are missing, such as {missing[0]}"] if missing else []
        found += [f"{len(strange)} are unknown, such as {strange[0]}"] if strange else []
        what = f"these are not weights of {library}: {' and '.join(found)}"
        raise DataError(Fault("", what, "name the family and the variant that they are of"))
