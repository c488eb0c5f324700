"""Looking at a step tells what torch tells, finds dead units, and changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from isoflop.config import ModelConfig
from isoflop.families import families
from isoflop.models import build
from isoflop.scaling import smallest
from isoflop.training.observation import Observation, group_of

CLASSES = 4


def pictures(pixels: int, channels: int = 1) -> Tensor:
    return torch.randn(4, channels, pixels, pixels, generator=torch.Generator().manual_seed(0))


def learn(net: nn.Module, images: Tensor, look: Observation | None = None) -> Tensor:
    """One forward and backward pass, observed or not; the logits."""
    net.train()
    torch.manual_seed(0)
    if look is None:
        answers = net(images)
    else:
        with look.forward():
            answers = net(images)
    logits: Tensor = answers if isinstance(answers, Tensor) else answers[0][1]
    logits.square().mean().backward()
    if look is not None:
        look.gradients()
    return logits.detach()


def small(name: str) -> tuple[nn.Module, int]:
    family = families()[name]
    pixels = max(32, smallest(name, family.stem))
    model = ModelConfig(family=name, width=0.25, depth=0.25, resolution=pixels)
    return build(model, image=(1, pixels, pixels), classes=CLASSES, seed=0), pixels


@pytest.mark.parametrize("name", families())
def test_every_group_of_every_family_is_seen_and_nothing_is_changed(name: str):
    (plain, pixels), (seen, _) = small(name), small(name)
    look = Observation(seen)
    assert torch.equal(learn(plain, pictures(pixels)), learn(seen, pictures(pixels), look))
    for one, other in zip(plain.parameters(), seen.parameters(), strict=True):
        assert (one.grad is None and other.grad is None) or torch.equal(one.grad, other.grad)
    numbers = look.numbers()
    groups = {group_of(key) for key, parameter in seen.named_parameters() if parameter.grad is not None}
    assert groups == {key.partition(".")[2] for key in numbers if key.startswith("gradient.")}
    assert len(groups) > 2
    assert any(key.startswith("dead.") for key in numbers)
    assert all(0 <= value < math.inf for key, value in numbers.items() if "mean" not in key)
    assert not look.numbers()


def test_the_gradient_is_the_norm_that_torch_finds():
    net, pixels = small("resnet")
    look = Observation(net)
    learn(net, pictures(pixels), look)
    numbers = look.numbers()
    whole = nn.utils.clip_grad_norm_(net.parameters(), 1e9).item()
    assert numbers["gradient"] == pytest.approx(whole, rel=1e-5)
    head = nn.utils.clip_grad_norm_(net.head.parameters(), 1e9).item()  # type: ignore[union-attr]
    assert numbers["gradient.head"] == pytest.approx(head, rel=1e-5)


class Two(nn.Module):
    """A convolution and a linear layer with the activations asked for."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(1, 8, 3), act), nn.Sequential(nn.Linear(8, 10), act)])

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = self.stages[0](x).mean((2, 3))
        second: Tensor = self.stages[1](first)
        return second


@pytest.mark.parametrize("act", [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.SiLU(), nn.Tanh(), nn.ReLU6()])
def test_units_that_do_not_move_are_dead(act: nn.Module):
    net = Two(act)
    with torch.no_grad():
        net.stages[0][0].weight[:2] = 0.0  # type: ignore[index]
        net.stages[1][0].weight[:5] = 0.0  # type: ignore[index]
        net.stages[1][0].bias.fill_(1.0)  # type: ignore[index,union-attr]
    look = Observation(net)
    learn(net, pictures(12), look)
    numbers = look.numbers()
    assert numbers["dead.stages.0"] == pytest.approx(2 / 8)
    assert numbers["dead.stages.1"] == pytest.approx(5 / 10)


def test_activations_are_told_by_mean_and_spread():
    net = Two(nn.ReLU())
    look = Observation(net)
    images = pictures(12)
    learn(net, images, look)
    values = net.stages[0](images)
    numbers = look.numbers()
    assert numbers["activation_mean.stages.0"] == pytest.approx(values.mean().item(), rel=1e-5)
    assert numbers["activation_std.stages.0"] == pytest.approx(values.std(correction=0).item(), rel=1e-4)
