"""CoAtNet's stages: where it convolves, where it attends, and what small maps make of it."""

from __future__ import annotations

import pytest
import torch
from timm.models.maxxvit import Attention2d, MbConvBlock

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost


def net(size: int = 8, **settings) -> Net:
    with torch.device("meta"):
        return build(ModelConfig(family="coatnet", **settings), image=(1, size, size), classes=10)


def test_convolution_comes_before_attention():
    kinds = [type(module) for module in net().modules() if isinstance(module, (MbConvBlock, Attention2d))]
    assert kinds == [MbConvBlock] * 5 + [Attention2d] * 7


@pytest.mark.parametrize(
    ("size", "stem", "strides"),
    [(224, 2, [2, 4, 8, 16, 32]), (28, 1, [1, 2, 4, 8, 16]), (28, 4, [4, 8, 16]), (8, 4, [4])],
)
def test_stages_shrink_maps_while_some_place_is_left(size: int, stem: int, strides: list[int]):
    assert list(net(size, stem=stem, depth=0.1, width=0.1).features(torch.empty(1, 1, size, size, device="meta"))) == (
        strides
    )


@pytest.mark.parametrize(("width", "heads"), [(1.0, (12, 32)), (0.25, (3, 32)), (0.125, (6, 8))])
def test_heads_keep_their_size_where_there_are_enough(width: float, heads: tuple[int, int]):
    first = next(module for module in net(width=width).modules() if isinstance(module, Attention2d))
    assert (first.num_heads, first.dim_head) == heads


def test_tables_of_position_biases_are_told_with_their_attention():
    found = cost(ModelConfig(family="coatnet", depth=0.1), image=(1, 32, 32), classes=10)
    first = next(layer for layer in found.layers if layer.kind == "Attention2d")
    assert first.parameters == (2 * 4 - 1) ** 2 * 12, "a map of 4x4 places and 12 heads"


def test_the_narrowest_net_has_gates():
    found = build(ModelConfig(family="coatnet", width=0.01, divisor=1), image=(1, 8, 8), classes=10, seed=0).train()
    assert found(torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))).isfinite().all()
