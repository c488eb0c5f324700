"""ViT against timm's and against counting by hand."""

from __future__ import annotations

import pytest
import timm
import torch

from isoflop.config import ModelConfig
from isoflop.models import build, cost


@pytest.mark.parametrize(
    ("variant", "name", "parameters"),
    [("ti", "tiny", 5_717_416), ("s", "small", 22_050_664), ("b", "base", 86_567_656), ("l", "large", 304_326_632)],
)
def test_variants_have_the_published_size_and_timms_names(variant, name, parameters):
    model = ModelConfig(family="vit", stem=16, variant=variant)
    assert cost(model, image=(3, 224, 224), classes=1000).parameters == parameters
    with torch.device("meta"):
        ours = build(model, image=(3, 224, 224), classes=1000).body.blocks.state_dict()
        theirs = timm.create_model(f"vit_{name}_patch16_224").state_dict()
    shapes = {key: weight.shape for key, weight in theirs.items() if not key.startswith("head.")}
    assert shapes == {key: weight.shape for key, weight in ours.items()}


def test_without_a_class_token_it_is_timms():
    theirs = timm.create_model(
        "vit_tiny_patch16_224", img_size=64, class_token=False, global_pool="avg", num_classes=10
    ).eval()
    ours = build(ModelConfig(family="vit", stem=16, pool="average"), image=(3, 64, 64), classes=10).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("pool", "tokens"), [("token", 50), ("average", 49)])
def test_a_class_token_is_one_more(pool, tokens):
    found = cost(ModelConfig(family="vit", pool=pool, depth=0.1), image=(1, 28, 28), classes=10)
    assert {layer.output[0] for layer in found.layers if layer.kind == "Attention"} == {tokens}


def test_flops_are_those_counted_by_hand():
    width, depth, side, patch, classes = 192, 12, 224, 16, 1000
    tokens = (side // patch) ** 2 + 1
    block = 12 * tokens * width**2 + 2 * tokens**2 * width  # qkv, out and mlp; then the two products of attention
    macs = (tokens - 1) * 3 * patch**2 * width + depth * block + width * classes
    assert cost(ModelConfig(family="vit", stem=16), image=(3, side, side), classes=classes).macs == macs


def test_a_patch_as_large_as_the_image_leaves_one_place():
    model = build(ModelConfig(family="vit", stem=8, depth=0.1, width=0.25), image=(1, 8, 8), classes=10, seed=0)
    assert {stride: found.shape for stride, found in model.features(torch.zeros(2, 1, 8, 8)).items()} == {
        8: (2, 48, 1, 1)
    }


def test_drop_path_grows_with_depth():
    model = build(ModelConfig(family="vit", depth=0.25, drop_path=0.2), image=(1, 8, 8), classes=10, seed=0)
    rates = [module.drop_prob for module in model.modules() if type(module).__name__ == "DropPath"]
    assert sorted(set(rates)) == pytest.approx([0.1, 0.2])
