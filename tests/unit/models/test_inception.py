"""Nets of branches side by side."""

from __future__ import annotations

import pytest
import torch

from isoflop.config import ModelConfig
from isoflop.models import Net, build
from isoflop.models.inception.part import CeilPool, Map, Mixed, stretched
from isoflop.scaling import Shape

SHAPE = Shape(depth=1.0, width=1.0, resolution=32, stem=1)


def net(name: str = "googlenet", **settings) -> Net:
    model = ModelConfig(family=name, **{"depth": 0.5, "width": 0.125, **settings})
    return build(model, image=(1, 16, 16), classes=10, seed=0)


@pytest.mark.parametrize(("name", "weights"), [("googlenet", (1.0, 0.3, 0.3))])
def test_auxiliary_heads_answer_in_training_alone(name, weights):
    model, batch = net(name), torch.zeros(2, 1, 16, 16)
    found, answers = zip(*model.train()(batch), strict=True)
    assert found == weights
    assert [answer.shape for answer in answers] == [(2, 10)] * len(weights)
    assert model.eval()(batch).shape == (2, 10)
    assert net(name, auxiliary=False).train()(batch).shape == (2, 10)


def test_what_lies_below_an_auxiliary_head_learns_from_it():
    model = net(depth=1.0)
    modules = [stage for stage in model.body.stages if isinstance(stage, Mixed)]
    for head, below in ((2, 6), (1, 3)):
        model.zero_grad()
        model.train()(torch.randn(2, 1, 16, 16))[head][1].sum().backward()
        learning = [any(weight.grad is not None for weight in module.parameters()) for module in modules]
        assert learning == [True] * below + [False] * (9 - below)


@pytest.mark.parametrize(
    ("length", "expected"), [(1, "e"), (2, "ce"), (3, "bde"), (5, "abcde"), (7, "abccdee"), (10, "aabbccddee")]
)
def test_a_list_is_stretched_in_order_and_keeps_its_last(length, expected):
    assert "".join(stretched("abcde", length)) == expected


@pytest.mark.parametrize("side", [4, 5, 6, 7])
@pytest.mark.parametrize("kernel", [2, 3])
def test_pooling_loses_no_place(side, kernel):
    pool, made = CeilPool(kernel).build(SHAPE, Map(1, side), 2)
    assert made == Map(1, (side + 1) // 2)
    for place in range(side):
        image = torch.zeros(1, 1, side, side)
        image[0, 0, place, place] = 1.0
        found = pool(image)
        assert found.shape[-1] == made.side
        assert found.any()
