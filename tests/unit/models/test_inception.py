"""Nets of branches side by side."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from timm.layers import DropPath

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost
from isoflop.models.inception.part import CeilPool, Map, Mixed, stretched
from isoflop.scaling import Shape, smallest

UNPADDED = ("inception_v3", "inception_v4", "inception_resnet")
SHAPE = Shape(depth=1.0, width=1.0, resolution=32, stem=1)


def net(name: str = "googlenet", **settings) -> Net:
    model = ModelConfig(family=name, **{"depth": 0.5, "width": 0.125, **settings})
    return build(model, image=(1, 16, 16), classes=10, seed=0)


@pytest.mark.parametrize(("name", "weights"), [("googlenet", (1.0, 0.3, 0.3)), ("inception_v3", (1.0, 0.4))])
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


def test_batch_norm_has_the_parameters_of_its_public_versions():
    """They give each convolution a bias too: https://github.com/osmr/imgclsmob lists 11,295,240 for BN-Inception."""
    found = cost(ModelConfig(family="inception_v2", stem=8), image=(3, 224, 224), classes=1000)
    biases = sum(layer.output[0] for layer in found.layers if layer.kind == "Conv2d")
    assert found.parameters + biases == 11_295_240


@pytest.mark.parametrize("name", UNPADDED)
def test_without_padding_flops_grow_past_the_published_resolution(name):
    model = ModelConfig(family=name, stem=8, depth=0.1, width=0.125)
    flops = [cost(model, image=(3, side, side), classes=10).flops for side in (112, 296, 299, 304)]
    assert all(low < high for low, high in pairwise(flops))


@pytest.mark.parametrize("name", UNPADDED)
def test_the_smallest_photograph_without_padding_leaves_two_places_a_side(name):
    side = smallest(name, 8)
    with torch.device("meta"):
        model = build(ModelConfig(family=name, stem=8, width=0.125), image=(3, side, side), classes=10)
        assert [found.shape[-1] for found in model.features(torch.empty(1, 3, side, side)).values()] == [11, 5, 2]


def test_one_image_alone_trains_the_published_auxiliary_head():
    model = build(ModelConfig(family="inception_v3", stem=8, width=0.125), image=(1, 112, 112), classes=10, seed=0)
    torch.stack([logits.sum() for _, logits in model.train()(torch.randn(1, 1, 112, 112))]).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


def test_residuals_are_dropped_the_more_often_the_later_they_come():
    drops = [part.drop_prob for part in net("inception_resnet", drop_path=0.2).modules() if isinstance(part, DropPath)]
    assert len(drops) == 5 + 10 + 5 - 1, "the first is never dropped"
    assert drops == pytest.approx([0.2 * place / 19 for place in range(1, 20)])


def test_the_last_residual_is_neither_scaled_nor_rectified():
    *_, last, _ = net("inception_resnet").body.stages
    assert (last.scale, type(last.act)) == (1.0, torch.nn.Identity)
