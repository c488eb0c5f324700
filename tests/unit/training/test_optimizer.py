"""Weight decay touches weights alone."""

from __future__ import annotations

import torch
from torch import nn

from isoflop.config import OptimConfig
from isoflop.training.optimizer import build_optimizer, decay_groups


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 4))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.relative_position_bias_table = nn.Parameter(torch.zeros(9, 4))
        self.head = nn.Linear(4, 2)


def test_norms_biases_and_tokens_do_not_decay():
    net = Net()
    decayed, kept = decay_groups(net, 0.1)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {"conv.weight", "head.weight"}
    assert decayed["weight_decay"] == 0.1
    assert kept["weight_decay"] == 0.0
    assert len(decayed["params"]) + len(kept["params"]) == len(names)


def test_a_step_without_gradient_shrinks_only_decayed_weights():
    net = Net()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    build_optimizer(net, OptimConfig(name="adamw", lr=0.1, weight_decay=0.5)).step()
    changed = {name for name, parameter in net.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == {"conv.weight", "head.weight"}
