"""Averages of weights are those of torch and timm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from isoflop.config import AverageConfig, Axis
from isoflop.length import Length
from isoflop.training.average import Average, build_average

STEPS, EPOCH = 40, 6
LENGTH = Length(batch=4, epoch=EPOCH, steps=STEPS, reports=(STEPS,), axis=Axis.EPOCHS, flops=1.0)


def net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(27, 2))


def move(module: nn.Module, step: int) -> None:
    """What a step does to the weights and statistics."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            change = torch.rand(tensor.shape, generator=generator)
            tensor.add_(change if tensor.is_floating_point() else 1)


def average(module: nn.Module, **settings: Any) -> Average:
    made = build_average(module, AverageConfig(**settings), LENGTH)
    assert made is not None
    return made


def same(found: nn.Module, expected: nn.Module) -> bool:
    pairs = zip(found.state_dict().values(), expected.state_dict().values(), strict=True)
    return all(torch.allclose(one.double(), other.double(), rtol=1e-5) for one, other in pairs)


def test_an_exponential_average_is_timms_with_its_warm_up():
    module = net()
    mine, reference = average(module, name="ema", decay=0.8), ModelEmaV3(module, decay=0.8, use_warmup=True)
    for step in range(1, STEPS + 1):
        move(module, step)
        mine.update(step)
        reference.update(module, step=step)
        assert same(mine.net, reference.module)
    assert not same(mine.net, module)
    assert not mine.estimates


def test_a_plain_average_is_torchs_over_the_weights_that_lie_epochs_before_the_horizon():
    module = net()
    mine, reference = average(module, name="swa", start=0.5), AveragedModel(module)
    taken = []
    for step in range(1, STEPS + 1):
        move(module, step)
        before = mine.taken
        mine.update(step)
        if mine.taken > before:
            taken.append(step)
            reference.update_parameters(module)
    assert taken == [22, 28, 34, 40]
    assert same(mine.net, reference.module)
    batches = [(torch.randn(4, 1, 5, 5), torch.zeros(4)) for _ in range(3)]
    assert mine.estimates
    mine.estimate(batches)
    update_bn(batches, reference.module)
    assert same(mine.net, reference.module)
    assert not same(mine.net[1], module[1])  # type: ignore[index]


def test_statistics_of_a_frozen_body_are_not_estimated():
    class Frozen(nn.Sequential):
        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self[1].eval()
            return self

    module = Frozen(*net())
    mine = average(module, name="swa", start=0.0, every=0.1)
    move(module, 1)
    mine.update(1)
    mine.estimate([(torch.randn(4, 1, 5, 5), torch.zeros(4))])
    assert same(mine.net[1], module[1])  # type: ignore[index]


@pytest.mark.parametrize("name", ["ema", "swa"])
def test_nothing_is_in_it_before_it_begins_and_it_goes_on_from_its_state(name: str):
    module, other = net(), net()
    mine = average(module, name=name, start=0.9)
    assert not mine.begun
    again = average(other, name=name, start=0.9)
    for step in range(1, STEPS + 1):
        if step == 36:
            again.load_state_dict(mine.state_dict())
        move(module, step)
        mine.update(step)
        if step >= 36:
            other.load_state_dict(module.state_dict())
            again.update(step)
    pairs: list[tuple[Tensor, Tensor]] = list(zip(mine.net.parameters(), again.net.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two in pairs)
    assert mine.taken == again.taken == {"ema": STEPS, "swa": 1}[name]


def test_none_is_built_where_none_is_asked_for():
    assert build_average(net(), AverageConfig(), LENGTH) is None
