"""Stages of blocks, laid out one after the other."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import StochasticDepth

from isoflop.config import ModelConfig
from isoflop.models import Net, build
from isoflop.models.stages import evenly


def net(name: str, **settings) -> Net:
    return build(ModelConfig(family=name, width=0.25, **settings), image=(3, 16, 16), classes=10, seed=0)


@pytest.mark.parametrize(
    ("name", "blocks"), [("mobilenet_v2", 17), ("mobilenet_v3", 15), ("ghostnet", 16), ("regnet", 16)]
)
def test_paths_are_dropped_ever_more_often(name, blocks):
    rates = [module.p for module in net(name, drop_path=0.2).modules() if isinstance(module, StochasticDepth)]
    steps = [rate * blocks / 0.2 for rate in rates]
    assert steps == pytest.approx([round(step) for step in steps])
    assert steps == sorted(set(steps))
    assert max(steps) <= blocks - 1


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3", "ghostnet", "regnet"])
def test_paths_are_dropped_in_training_alone(name):
    whole, dropped = net(name).eval(), net(name, drop_path=0.5)
    assert dropped.load_state_dict(whole.state_dict())
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(dropped.eval()(x), whole(x))
    for module in dropped.modules():
        if isinstance(module, StochasticDepth):
            module.train()
    assert not torch.equal(dropped(x), whole(x))


@pytest.mark.parametrize(
    ("count", "rows"), [(1, "a"), (2, "ac"), (3, "abc"), (4, "abcd"), (6, "aabccd"), (8, "aabbccdd")]
)
def test_rows_are_repeated_or_left_out_evenly(count, rows):
    assert "".join(evenly("abcd", count)) == rows
