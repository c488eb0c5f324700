"""Optimizers, and which weights decay."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from isoflop.config import OptimConfig

TOKENS = ("pos_embed", "cls_token", "reg_token")


def build_optimizer(net: nn.Module, config: OptimConfig) -> Optimizer:
    """The optimizer of a configuration over a net's parameters; its learning rate is set before each step."""
    groups = decay_groups(net, config.weight_decay)
    if config.name == "adamw":
        return AdamW(groups, lr=config.lr, betas=(config.momentum, config.beta2), fused=True)
    nesterov = config.nesterov and config.momentum > 0
    return SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov, fused=True)


def decay_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters in two groups: weights that decay, and norms, biases, position embeddings and tokens that do not."""
    kept: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for name, parameter in net.named_parameters():
        free = parameter.ndim <= 1 or name.rsplit(".", 1)[-1] in TOKENS
        (kept if free else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
