"""Blocks that are computed again come to the same numbers, and keep less."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from isoflop.config import ModelConfig
from isoflop.families import BUILT_IN
from isoflop.models import Net, build
from isoflop.training.recompute import recompute

SETTINGS: dict[str, dict[str, Any]] = {"vit": {"stem": 4}, "swin": {"stem": 2}, "coatnet": {"stem": 2}}


def net(family: str, **settings: Any) -> Net:
    shape = {"depth": 0.1, "width": 0.1, **SETTINGS.get(family, {}), **settings}
    return build(ModelConfig(family=family, **shape), image=(1, 32, 32), classes=4, seed=0)


def kept(module: nn.Module, images: Tensor) -> int:
    """Bytes that autograd keeps of a forward pass, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answers = module(images)
    del answers
    return sum(found.values())


def learned(module: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and gradient of a step whose draws are seeded."""
    torch.default_generator.manual_seed(5)
    answers = module(images)
    heads = [(1.0, answers)] if isinstance(answers, Tensor) else answers
    loss = torch.stack([weight * cross_entropy(logits, targets) for weight, logits in heads]).sum()
    loss.backward()
    return loss.detach(), torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])


@pytest.mark.parametrize("family", [row.name for row in BUILT_IN])
def test_every_familys_step_is_the_same_bit_for_bit_with_draws_and_statistics(family: str):
    row = next(row for row in BUILT_IN if row.name == family)
    settings = {"drop_path": 0.3} if row.residual else {}
    generator = torch.Generator().manual_seed(0)
    images, targets = torch.randn(4, 1, 32, 32, generator=generator), torch.arange(4)
    plain, again = (net(family, **settings, dropout=0.2).train() for _ in range(2))
    recompute(again.body.units())
    for expected, found in zip(learned(plain, images, targets), learned(again, images, targets), strict=True):
        assert torch.equal(found, expected)
    for (name, expected), found in zip(plain.named_buffers(), again.buffers(), strict=True):
        assert torch.equal(found, expected), name
    assert [*again.state_dict()] == [*plain.state_dict()]


@pytest.mark.parametrize("family", ["lenet", "resnet", "vit", "convnext", "googlenet", "densenet"])
def test_less_is_kept(family: str):
    images = torch.randn(8, 1, 32, 32)
    plain, again = (net(family, width=0.25, depth=1.0).train() for _ in range(2))
    recompute(again.body.units())
    assert kept(again, images) < 0.7 * kept(plain, images)


def test_a_copy_computes_its_own_blocks_again():
    first = net("resnet").train()
    recompute(first.body.units())
    copy = deepcopy(first)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    images = torch.randn(4, 1, 32, 32)
    assert not copy(images).any()
    assert first(images).any()
    copy(images).sum().backward()
    assert all(parameter.grad is None for parameter in first.parameters())


def test_nothing_is_computed_again_where_no_gradient_is_wanted():
    module = net("resnet").eval()
    images = torch.randn(4, 1, 32, 32)
    with torch.inference_mode():
        expected = module(images)
        recompute(module.body.units())
        assert torch.equal(module(images), expected)
