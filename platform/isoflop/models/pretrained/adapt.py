"""Weights of a net, made to fit images of another size, other channels, or another number of classes.

As timm does it: the first convolution's weights are repeated or summed over channels (`adapt_input_conv`), position
embeddings and tables of position biases are interpolated, and a classifier of another number of classes is passed over.
Dense layers that see a grid of places, as VGG and AlexNet have, are folded so that a smaller grid gives exactly what
torchvision's nets make of it: they repeat its places until the published grid is full.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from timm.layers import resample_abs_pos_embed, resize_rel_pos_bias_table
from timm.models import adapt_input_conv
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d

from isoflop.errors import Fault, SpecError
from isoflop.models.net import Net

HEADS = ("head.", "auxiliary.")
BRANCHES = "body.auxiliary."
OPTIONAL = (BRANCHES, "auxiliary.")
"""What a net, or weights of it, may do without."""
Weights: TypeAlias = Mapping[str, Tensor]


def adapt(weights: Weights, net: Net) -> dict[str, Tensor]:
    """The weights that fit a net, by its own keys; what is not among them stays as it was drawn.

    That is the last layer of a head for another number of classes, a head where the weights have none at all, and
    auxiliary branches that they lack or have for maps of another size. Raises `SpecError` where the net is another one
    than the weights are of, as few are on small images.
    """
    wanted = net.state_dict()
    optional = OPTIONAL if any(key.startswith("head.") for key in weights) else (*OPTIONAL, "head.")
    strange = {key for key in weights.keys() ^ wanted.keys() if not key.startswith(optional)}
    if strange:
        raise _misfit(net, min(strange))
    first = first_convolution(wanted)
    return {
        key: _fitted(key, weights[key], like, net, first=key == first)
        for key, like in wanted.items()
        if key in weights and not _stays(key, weights[key], like)
    }


def first_convolution(weights: Weights) -> str:
    """The key of the convolution that sees the image."""
    return next(key for key, value in weights.items() if value.ndim == 4 and not key.startswith(BRANCHES))


def classes_of(weights: Weights) -> int:
    """How many classes weights decide between."""
    *_, last = (value for key, value in weights.items() if key.startswith("head."))
    return len(last)


def _stays(key: str, found: Tensor, like: Tensor) -> bool:
    """Whether a weight stays as it was drawn."""
    return found.shape != like.shape and key.startswith((*HEADS, BRANCHES))


def _fitted(key: str, found: Tensor, like: Tensor, net: Net, *, first: bool) -> Tensor:
    if found.shape == like.shape:
        return found
    owner, _, name = key.rpartition(".")
    make = _channels if first else ADAPTERS.get(name)
    made = None if make is None else make(found, like, net, owner)
    if made is None or made.shape != like.shape:
        raise _misfit(net, key)
    return made


def _channels(found: Tensor, like: Tensor, *_: object) -> Tensor:
    """The convolution that sees the image."""
    made: Tensor = adapt_input_conv(like.shape[1], found, base_chans=found.shape[1])
    return made


def _positions(found: Tensor, like: Tensor, net: Net, owner: str) -> Tensor:
    """An embedding of each place of a grid, after those of tokens that have no place."""
    prefix = int(net.get_submodule(owner).num_prefix_tokens)  # type: ignore[arg-type]
    side = math.isqrt(like.shape[1] - prefix)
    made: Tensor = resample_abs_pos_embed(found, [side, side], num_prefix_tokens=prefix)
    return made


def _biases(found: Tensor, like: Tensor, net: Net, owner: str) -> Tensor:
    """A bias of attention for each distance within a window."""
    window = net.get_submodule(owner).window_size
    with warnings.catch_warnings():
        # Torch would have timm's interpolation written otherwise; a test looks at what it gives.
        warnings.simplefilter("ignore", UserWarning)
        made: Tensor = resize_rel_pos_bias_table(found, new_window_size=window, new_bias_shape=like.shape)
    return made


def _places(found: Tensor, like: Tensor, net: Net, owner: str) -> Tensor | None:
    """A dense layer over a map pooled to a grid (`plain.py`): as if the new grid were pooled to the old one."""
    pool = next(net.get_submodule(owner.rpartition(".")[0]).children())
    if like.ndim != 2 or not isinstance(pool, nn.AdaptiveAvgPool2d):
        return None
    new = int(pool.output_size)  # type: ignore[arg-type]  # one number, for both sides
    channels = like.shape[1] // new**2
    old = math.isqrt(found.shape[1] // channels)
    shares = adaptive_avg_pool1d(torch.eye(new), old).T  # (old, new): what each old place takes of each new one
    grid = found.reshape(len(found), channels, old, old)
    return torch.einsum("ocij,ik,jl->ockl", grid, shares, shares).reshape(len(found), -1)


def _misfit(net: Net, key: str) -> SpecError:
    what = f"on {net.shape.resolution} pixels the net is another than the weights are of ({key} differs)"
    return SpecError(Fault("model.resolution", what, "give the pixels that they were trained on, or half of them"))


Adapter: TypeAlias = Callable[[Tensor, Tensor, Net, str], Tensor | None]
ADAPTERS: Mapping[str, Adapter] = {
    "pos_embed": _positions,
    "relative_position_bias_table": _biases,
    "weight": _places,
}
"""By what a weight is called in its module."""
