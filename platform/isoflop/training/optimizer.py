"""Optimizers, and which weights decay.

Torch's optimizers import its compiler when they are first used, which takes each process 1.4 seconds, only to keep it
out of themselves. A training runs eagerly, so these are the same optimizers without what keeps the compiler out.
"""

from __future__ import annotations

from inspect import unwrap

from torch import nn, no_grad
from torch.optim import SGD, AdamW, Optimizer

from isoflop.config import OptimConfig

TOKENS = ("pos_embed", "cls_token", "reg_token", "relative_position_bias_table")


class Eager(Optimizer):
    """What all optimizers do."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)


class EagerSGD(Eager, SGD):
    """Stochastic gradient descent."""

    step = no_grad()(unwrap(SGD.step))


class EagerAdamW(Eager, AdamW):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    step = no_grad()(unwrap(AdamW.step))


def build_optimizer(net: nn.Module, config: OptimConfig) -> Optimizer:
    """The optimizer of a configuration over a net's parameters; its learning rate is set before each step."""
    groups = decay_groups(net, config.weight_decay)
    if config.name == "adamw":
        return EagerAdamW(groups, lr=config.lr, betas=(config.momentum, config.beta2), fused=True)
    nesterov = config.nesterov and config.momentum > 0
    return EagerSGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov, fused=True)


def decay_groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Parameters in two groups: weights that decay, and norms, biases, position embeddings and tokens that do not.

    Frozen ones are in neither.
    """
    kept: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        free = parameter.ndim <= 1 or name.rsplit(".", 1)[-1] in TOKENS
        (kept if free else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
