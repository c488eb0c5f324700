"""Swin's windows: linear in tokens, legal on small maps, and what is seen through them."""

from __future__ import annotations

from itertools import pairwise

import torch
from timm.models.swin_transformer import SwinTransformerBlock

from isoflop.config import ModelConfig
from isoflop.models import build, cost


def attention(family: str, kind: str, size: int) -> int:
    """FLOPs of the products of attention alone."""
    found = cost(ModelConfig(family=family, stem=4, depth=0.1), image=(3, size, size), classes=10)
    return sum(layer.flops for layer in found.layers if layer.kind == kind)


def test_attention_costs_as_much_a_token_on_a_larger_map():
    assert attention("swin", "WindowAttention", 448) == 4 * attention("swin", "WindowAttention", 224) > 0


def test_attention_over_all_costs_more_a_token_on_a_larger_map():
    assert attention("vit", "Attention", 448) > 15 * attention("vit", "Attention", 224) > 0


def windows(size: int, stem: int) -> list[int]:
    model = build(ModelConfig(family="swin", stem=stem, depth=0.1, width=0.25), image=(1, size, size), classes=10)
    return [block.window_size[0] for block in model.modules() if isinstance(block, SwinTransformerBlock)]


def test_windows_are_published_ones_or_whole_maps():
    assert windows(224, 4) == [7, 7, 7, 7]
    assert windows(28, 2) == [7, 7, 4, 2]
    assert windows(8, 2) == [4, 2, 2, 2]


def test_a_larger_map_never_has_smaller_windows():
    with torch.device("meta"):
        found = [windows(size, 1) for size in range(8, 64, 3)]
    assert all(small <= large for one, other in pairwise(found) for small, large in zip(one, other, strict=True))
    assert found[0] < found[-1] == [7, 7, 7, 7]


def seen(size: int) -> torch.Tensor:
    """Which pixels a central place of the last map sees."""
    model = build(ModelConfig(family="swin", stem=1, depth=0.5, width=0.1), image=(1, size, size), classes=10, seed=0)
    images = torch.randn(1, 1, size, size, requires_grad=True, generator=torch.Generator().manual_seed(0))
    *_, last = model.body.eval().features(images).values()
    middle = last.shape[-1] // 2
    last[0, :, middle, middle].square().sum().backward()
    assert images.grad is not None
    return images.grad[0, 0] != 0


def test_a_place_sees_everything_up_to_a_last_map_of_one_window():
    assert seen(56).all()
    assert not seen(128).all()


def test_every_second_block_has_its_windows_shifted():
    model = build(ModelConfig(family="swin", stem=4, width=0.25), image=(1, 224, 224), classes=10)
    shifts = [block.shift_size for block in model.modules() if isinstance(block, SwinTransformerBlock)]
    assert shifts == [(0, 0), (3, 3)] * 5 + [(0, 0), (0, 0)], "the last map is one window"
