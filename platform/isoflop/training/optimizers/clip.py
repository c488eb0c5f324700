"""The limit of a gradient, before a step."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from isoflop.config import OptimConfig
from isoflop.training.optimizers.groups import HEADS, learned


def clip(net: nn.Module, config: OptimConfig) -> None:
    """Limit what the parameters have gathered, as the configuration says."""
    if not config.clip:
        return
    if config.clip_by == "norm":
        clip_grad_norm_(net.parameters(), config.clip)
    elif config.clip_by == "value":
        clip_grad_value_(net.parameters(), config.clip)
    else:
        from timm.utils.agc import adaptive_clip_grad

        body = [parameter for name, parameter in learned(net) if not name.startswith(HEADS)]
        adaptive_clip_grad(body, clip_factor=config.clip)
