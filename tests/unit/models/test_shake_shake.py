"""Shake-shake: random mixtures forward, others backward, and the mean of a net that is not trained."""

from __future__ import annotations

import pytest
import torch
from timm.layers import DropPath

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost
from isoflop.models.shake_shake import Block, Shortcut, shake

IMAGES = 64


def shaken(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For each image the mix of 1 and 0, and what of its gradient goes to either."""
    one = torch.ones(IMAGES, 3, 2, 2, requires_grad=True)
    other = torch.zeros(IMAGES, 3, 2, 2, requires_grad=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mixed = shake(one, other)
        mixed.sum().backward()
    return mixed.detach(), one.grad, other.grad


def shake_shake(size: int = 8, **settings) -> Net:
    model = ModelConfig(family="shake_shake", **{"width": 0.1, "depth": 0.25, **settings})
    return build(model, image=(1, size, size), classes=10, seed=0)


def weights(inputs: int, outputs: int) -> int:
    """Of a block: in each of two branches two convolutions and two norms, beside a shortcut that changes channels."""
    branch = 9 * inputs * outputs + 9 * outputs**2 + 4 * outputs
    return 2 * branch + (inputs * outputs + 2 * outputs if inputs != outputs else 0)


@pytest.mark.parametrize(("variant", "width"), [("2x32d", 32), ("2x64d", 64), ("2x96d", 96)])
def test_nets_have_the_layers_of_the_authors_code(variant, width):
    found = cost(ModelConfig(family="shake_shake", variant=variant), image=(3, 32, 32), classes=10)
    changes = [(16, width), (width, 2 * width), (2 * width, 4 * width)]
    blocks = sum(weights(inputs, outputs) + 3 * weights(outputs, outputs) for inputs, outputs in changes)
    assert found.parameters == (27 * 16 + 2 * 16) + blocks + (4 * width + 1) * 10
    on_the_way = [layer for layer in found.layers if layer.kind == "Conv2d" and ".shortcut" not in layer.name]
    assert len(on_the_way) == 1 + 2 * 24, "26 layers with the dense one, 24 of them in each of two branches"


def test_each_image_is_mixed_by_a_number_of_its_own():
    mixed, _, _ = shaken()
    alpha = mixed[:, 0, 0, 0]
    assert torch.equal(mixed, alpha.view(-1, 1, 1, 1).expand_as(mixed))
    assert len(alpha.unique()) == IMAGES
    assert 0 <= alpha.min() < 0.2
    assert 0.8 < alpha.max() <= 1


def test_the_gradient_is_shared_by_other_numbers_than_the_images():
    mixed, one, other = shaken()
    beta = one[:, 0, 0, 0]
    assert torch.equal(one, beta.view(-1, 1, 1, 1).expand_as(one))
    torch.testing.assert_close(one + other, torch.ones_like(one))
    assert len(beta.unique()) == IMAGES
    assert 0 <= beta.min() < 0.2
    assert 0.8 < beta.max() <= 1
    assert torch.corrcoef(torch.stack([mixed[:, 0, 0, 0], beta]))[0, 1].abs() < 0.3


def test_equal_seeds_shake_alike():
    assert all(torch.equal(one, same) for one, same in zip(shaken(1), shaken(1), strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(shaken(1), shaken(2), strict=True))


def test_a_block_adds_a_mix_in_training_and_the_mean_otherwise():
    block = Block(4, 4, 1, drop=0.0).train()
    x = torch.randn(8, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    one, other, added = block.one(x), block.other(x), block(x) - x
    apart = one - other
    share = ((added - other) * apart).sum((1, 2, 3), keepdim=True) / apart.square().sum((1, 2, 3), keepdim=True)
    assert ((share > 0) & (share < 1)).all()
    assert share.std() > 0.1
    torch.testing.assert_close(added, share * one + (1 - share) * other, rtol=1e-4, atol=1e-4)
    block.eval()
    torch.testing.assert_close(block(x), x + (block.one(x) + block.other(x)) / 2)


def test_a_shortcut_sees_every_other_pixel_and_those_before_them():
    shortcut = Shortcut(1, 2, 2).eval()
    for conv in (shortcut.here[-1], shortcut.before[-1]):
        torch.nn.init.ones_(conv.weight)
    here, before = shortcut(torch.arange(1.0, 26.0).view(1, 1, 5, 5))[0]
    torch.testing.assert_close(here, torch.tensor([[1.0, 3, 5], [11, 13, 15], [21, 23, 25]]), rtol=1e-4, atol=0)
    torch.testing.assert_close(before, torch.tensor([[0.0, 0, 0], [0, 7, 9], [0, 17, 19]]), rtol=1e-4, atol=0)


def test_the_field_of_a_net_in_training_is_followed_through_the_mix():
    found = cost(ModelConfig(family="shake_shake", depth=0.25), image=(1, 32, 32), classes=10)
    assert found.unbounded_field == 1 + 2 + 2 * 2 + (2 + 4) + (4 + 8)
    assert not found.context


def test_drop_path_drops_what_both_branches_add():
    model = shake_shake(depth=1.0, drop_path=0.9)
    rates = [module.drop_prob for module in model.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.9 * k / 11 for k in range(1, 12)])
    block, x = Block(2, 2, 1, drop=1 - 1e-9).train(), torch.randn(4, 2, 3, 3)
    assert torch.equal(block(x), x)


def test_halves_are_equal_whatever_the_divisor():
    channels = [stage[0].one[1].out_channels for stage in shake_shake(divisor=1, width=0.1).body.stages]
    assert channels == [4, 6, 12]
