"""Parameters in groups by what an optimizer does with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

from torch import nn

from isoflop.config import OptimConfig

TOKENS = ("pos_embed", "cls_token", "reg_token", "relative_position_bias_table")
HEADS = ("head.", "auxiliary.")
"""What a net decides with, by the beginning of its parameters' names."""
SCALE = "lr_scale"
"""What a group's learning rate is multiplied with; as it is called in timm."""


class Layered(Protocol):
    """A net that knows how deep its parameters lie."""

    def depths(self) -> Mapping[str, int]:
        """The place of each parameter's block by the parameter's name, from 0 for the stem up to the head's."""
        ...


def groups(net: nn.Module, config: OptimConfig) -> list[dict[str, Any]]:
    """Parameters that decay, then norms, biases, position embeddings and tokens that do not; frozen ones are in none.

    With layer-wise rates there is a group for each depth, from the stem to the head. For Muon, a group says whether
    AdamW moves it: embeddings, tokens and the head, beside the vectors that Muon leaves to it anyway.
    """
    depths = cast("Layered", net).depths() if config.layer_decay < 1 else {}
    top = max(depths.values(), default=0)
    found: dict[tuple[int, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in learned(net):
        fallback = config.name == "muon" and (_is_token(name) or name.startswith(HEADS))
        free = parameter.ndim <= 1 or _is_token(name)
        found.setdefault((depths.get(name, top), free, fallback), []).append(parameter)
    return [
        {"params": found[key], "weight_decay": 0.0 if key[1] else config.weight_decay}
        | ({SCALE: config.layer_decay ** (top - key[0])} if depths else {})
        | ({"use_fallback": True} if key[2] else {})
        for key in sorted(found)
    ]


def learned(net: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that are not frozen, by name."""
    return ((name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad)


def _is_token(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in TOKENS
