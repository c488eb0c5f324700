"""LeNet-5 against the paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost


def lenet(size: int, **settings) -> Net:
    return build(ModelConfig(family="lenet", **settings), image=(1, size, size), classes=10, seed=0)


@pytest.mark.parametrize("size", [28, 32, 64])
def test_it_has_the_papers_weights(size):
    assert cost(ModelConfig(family="lenet"), image=(1, size, size), classes=10).parameters == 61_706


def test_flops_are_those_counted_by_hand():
    convolutions = 32**2 * 25 * 6 + 16**2 * 25 * 6 * 16
    dense = 400 * 120 + 120 * 84 + 84 * 10
    assert cost(ModelConfig(family="lenet"), image=(1, 32, 32), classes=10).macs == convolutions + dense


def test_rounding_leaves_the_papers_widths():
    layers = [module for module in lenet(32).modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert [layer.weight.shape[0] for layer in layers] == [6, 16, 120, 84, 10]


def test_width_scales_every_layer():
    layers = [module for module in lenet(32, width=2.0).modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert [layer.weight.shape[0] for layer in layers] == [12, 32, 240, 168, 10]


def test_depth_adds_convolutions_to_each_stage():
    kinds = [
        sum(isinstance(part, nn.Conv2d) for part in lenet(32, depth=depth).body.stage2) for depth in (0.25, 1, 2.5)
    ]
    assert kinds == [1, 1, 3]


@pytest.mark.parametrize(("size", "grid"), [(8, 2), (12, 3), (16, 4), (20, 5), (224, 5)])
def test_the_dense_layers_see_what_there_is_up_to_5x5(size, grid):
    assert lenet(size).body.dense[0](torch.zeros(1, 16, size // 4, size // 4)).shape[-1] == grid


def test_very_small_nets_are_possible():
    assert cost(ModelConfig(family="lenet", width=0.125), image=(1, 8, 8), classes=10).parameters < 1_000
