"""PVT's attention to fewer keys: reduced and linear, on small maps and large ones."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.models.pvt_v2 import Attention

from isoflop.config import ModelConfig
from isoflop.models import build, cost


def model(**settings) -> ModelConfig:
    return ModelConfig(family="pvt", **settings)


def test_linear_attention_is_timms():
    theirs = timm.create_model("pvt_v2_b2_li", num_classes=10).eval()
    ours = build(model(stem=4, variant="b2", attention="linear"), image=(3, 224, 224), classes=10).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def keys(size: int, stem: int, attention: str) -> list[int]:
    """Keys a side of each stage's map."""
    net = build(model(stem=stem, attention=attention, depth=0.1, width=0.25), image=(1, size, size), classes=10)
    found = []
    for layer in (layer for layer in net.modules() if isinstance(layer, Attention)):
        layer.kv.register_forward_hook(lambda _, inputs, __: found.append(int(inputs[0].shape[1] ** 0.5)))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 1, size, size))
    return found


@pytest.mark.parametrize(
    ("size", "stem", "reduced", "linear"),
    [(224, 4, [7, 7, 7, 7], [7, 7, 7, 7]), (28, 2, [2, 2, 2, 2], [7, 7, 4, 2]), (8, 2, [2, 2, 2, 2], [4, 2, 2, 2])],
)
def test_there_are_several_keys_and_no_more_than_places(size, stem, reduced, linear):
    assert keys(size, stem, "reduced") == reduced
    assert keys(size, stem, "linear") == linear


def products(size: int, attention: str) -> int:
    """FLOPs of the products of attention alone."""
    found = cost(model(stem=4, depth=0.1, attention=attention), image=(3, size, size), classes=10)
    return sum(layer.flops for layer in found.layers if layer.kind == "Attention")


def test_linear_attention_costs_as_much_a_token_on_a_larger_map_and_reduced_attention_more():
    assert products(448, "linear") == 4 * products(224, "linear") > 0
    assert products(448, "reduced") == 16 * products(224, "reduced") > 0


@pytest.mark.parametrize(
    ("attention", "sizes"),
    [("reduced", [14, 15, 16, 17, 18, 23, 24, 25, 31, 32, 33]), ("linear", [8, 13, 14, 15, 27, 28, 29, 55, 56, 57])],
)
def test_flops_grow_where_the_keys_change(attention, sizes):
    small = model(stem=1, depth=0.1, width=0.1, attention=attention)
    flops = [cost(small, image=(1, size, size), classes=2).flops for size in sizes]
    assert flops == sorted(set(flops))


def test_width_scales_heads_and_keeps_their_number():
    net = build(model(width=0.5), image=(1, 8, 8), classes=10)
    found = [layer for layer in net.modules() if isinstance(layer, Attention)]
    assert [(layer.num_heads, layer.head_dim) for layer in found[::2]] == [(1, 16), (2, 16), (5, 16), (8, 16)]
