"""The optimizer of a configuration. Those of timm bring all of timm, some two seconds a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import nn, optim
from torch.optim import Optimizer

from isoflop.config import OptimConfig
from isoflop.training.optimizers.eager import eager
from isoflop.training.optimizers.groups import SCALE, groups

HALF = 0.5
"""How far a look-ahead goes from the slow weights to the fast ones (the paper's alpha)."""

Groups: TypeAlias = list[dict[str, Any]]


def build_optimizer(net: nn.Module, config: OptimConfig) -> Optimizer:
    """The optimizer of a configuration over a net's parameters; its learning rate is set before each step."""
    made = BUILDERS[config.name](groups(net, config), config)
    if config.lookahead:
        from timm.optim.lookahead import Lookahead

        made = Lookahead(made, alpha=HALF, k=config.lookahead)
    return made


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the next step, in each group by its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(SCALE, 1.0)


def release(optimizer: Optimizer) -> None:
    """Let go of gradients and of what the optimizer keeps; it cannot go on after that."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    inner: Optimizer = getattr(optimizer, "_base_optimizer", optimizer)  # a look-ahead's, which keeps the state
    inner.state.clear()


def _sgd(parts: Groups, config: OptimConfig) -> Optimizer:
    nesterov = config.nesterov and config.momentum > 0
    made = eager(optim.SGD)(parts, lr=config.lr, momentum=config.momentum, nesterov=nesterov, fused=True)  # type: ignore[call-arg]
    # Told to leave out its very first step, the fused kernel would go on with a momentum that was never written. So
    # the scaler of half precision is to leave steps out itself.
    made._step_supports_amp_scaling = False  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other switch
    return made


def _adam(parts: Groups, config: OptimConfig) -> Optimizer:
    return eager(optim.Adam)(parts, lr=config.lr, betas=_betas(config), fused=True)  # type: ignore[call-arg]


def _adamw(parts: Groups, config: OptimConfig) -> Optimizer:
    return eager(optim.AdamW)(parts, lr=config.lr, betas=_betas(config), fused=True)  # type: ignore[call-arg]


def _radam(parts: Groups, config: OptimConfig) -> Optimizer:
    """Liu et al. 2020, arXiv 1908.03265."""
    return eager(optim.RAdam)(parts, lr=config.lr, betas=_betas(config), decoupled_weight_decay=True)  # type: ignore[call-arg]


def _nadam(parts: Groups, config: OptimConfig) -> Optimizer:
    """Dozat 2016."""
    return eager(optim.NAdam)(parts, lr=config.lr, betas=_betas(config), decoupled_weight_decay=True)  # type: ignore[call-arg]


def _rmsprop(parts: Groups, config: OptimConfig) -> Optimizer:
    return eager(optim.RMSprop)(parts, lr=config.lr, alpha=config.beta2, momentum=config.momentum)  # type: ignore[call-arg]


def _adafactor(parts: Groups, config: OptimConfig) -> Optimizer:
    from timm.optim.adafactor_bv import AdafactorBigVision

    # Its momentum is kept in half precision, which would not come back from a checkpoint as it was.
    made: Optimizer = AdafactorBigVision(
        parts, lr=config.lr, momentum=config.momentum or None, momentum_dtype="float32", beta2_cap=config.beta2
    )
    return made


def _lion(parts: Groups, config: OptimConfig) -> Optimizer:
    from timm.optim.lion import Lion

    made: Optimizer = Lion(parts, lr=config.lr, betas=_betas(config))
    return made


def _lamb(parts: Groups, config: OptimConfig) -> Optimizer:
    from timm.optim.lamb import Lamb

    made: Optimizer = Lamb(parts, lr=config.lr, betas=_betas(config))
    return made


def _adopt(parts: Groups, config: OptimConfig) -> Optimizer:
    from timm.optim.adopt import Adopt

    made: Optimizer = Adopt(parts, lr=config.lr, betas=_betas(config), decoupled=True)
    return made


def _muon(parts: Groups, config: OptimConfig) -> Optimizer:
    from timm.optim.muon import Muon

    made: Optimizer = Muon(
        parts, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, betas=_betas(config)
    )
    return made


def _betas(config: OptimConfig) -> tuple[float, float]:
    return config.momentum, config.beta2


BUILDERS: Mapping[str, Callable[[Groups, OptimConfig], Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "radam": _radam,
    "nadam": _nadam,
    "rmsprop": _rmsprop,
    "adafactor": _adafactor,
    "lion": _lion,
    "lamb": _lamb,
    "adopt": _adopt,
    "muon": _muon,
}
