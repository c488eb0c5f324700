"""What a model costs."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.models import Cost, build, cost

IMAGE = (1, 8, 8)


def of(family: str = "resnet", *, size: int = 8, batch: int = 1, **settings) -> Cost:
    settings = {"depth": 0.5, "width": 0.125, **settings}
    return cost(ModelConfig(family=family, **settings), image=(1, size, size), classes=10, batch=batch)


def test_asking_again_is_free():
    assert of() is of()
    assert of() is not of(batch=2)


def test_it_becomes_json():
    found = json.loads(json.dumps(of("vit").to_dict()))
    names = ("family", "shape", "parameters", "flops", "macs", "auxiliary", "memory", "batch")
    assert tuple(found) == (*names, "receptive_field", "unbounded_field", "context", "tokens", "layers")
    assert found["flops"] == 2 * found["macs"]
    assert found["layers"][0] == {
        "name": "body.blocks.patch_embed.proj",
        "kind": "Conv2d",
        "output": [32, 2, 2],
        "parameters": 16 * 32 + 32,
        "flops": 2 * 4 * 16 * 32,
        "receptive_field": 4,
    }


def test_attention_stands_in_a_layer_of_its_own():
    tokens, width = 5, 32
    attention = [layer for layer in of("vit", depth=0.1).layers if layer.kind == "Attention"]
    assert [layer.flops for layer in attention] == 2 * [2 * 2 * tokens**2 * width]


def test_what_does_nothing_is_no_layer():
    assert "Identity" not in {layer.kind for layer in of().layers}


def test_memory_holds_weights_gradients_and_states_beside_what_grows_with_the_batch():
    one, two, many = (of(batch=batch).memory for batch in (1, 2, 100))
    assert one < two < many
    assert of().memory > 4 * 3 * of().parameters
    heavy = [cost(ModelConfig(family="vgg"), image=(1, 8, 8), classes=10, states=states) for states in (0, 1, 2)]
    assert [found.memory - heavy[0].memory for found in heavy] == [
        4 * states * heavy[0].parameters for states in (0, 1, 2)
    ]
    assert heavy[0].memory == pytest.approx(4 * 2 * heavy[0].parameters, rel=0.01)


def test_dropout_costs_nothing():
    assert of(dropout=0.5, drop_path=0.5).flops == of().flops


def test_an_illegal_shape_names_the_nearest_legal_ones():
    with pytest.raises(SpecError, match="nearest legal: 28 and 32"):
        of(size=30, stem=4)


def test_resnet_18_sees_435_pixels():
    """Araujo et al. 2019, table 1 of the appendix."""
    assert of(size=512, stem=4, depth=1.0).receptive_field == 435
    assert of(size=224, stem=4, depth=1.0).receptive_field == 224


@pytest.mark.parametrize(("family", "settings"), [("lenet", {}), ("resnet", {}), ("resnet", {"block": "bottleneck"})])
def test_the_receptive_field_is_what_the_gradient_sees(family, settings):
    size = 96
    net = build(
        ModelConfig(family=family, depth=0.5, width=0.125, **settings), image=(1, size, size), classes=10
    ).eval()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.01 if parameter.ndim > 1 else 1.0)
    images = torch.ones(1, 1, size, size, requires_grad=True)
    last = list(net.features(images).values())[-1].double()
    middle = last.shape[-1] // 2
    last[0, 0, middle, middle].backward()
    assert images.grad.abs().sum((0, 1, 2)).count_nonzero() == of(family, size=size, **settings).receptive_field


def test_attention_sees_everything():
    assert of("vit", size=32).receptive_field == 32


@pytest.mark.parametrize(("size", "stem", "tokens"), [(8, 4, 5), (28, 7, 17), (224, 16, 197)])
def test_tokens_are_patches_and_a_class_token(size, stem, tokens):
    found = of("vit", size=size, stem=stem, depth=0.1)
    assert found.tokens == tokens
    assert {layer.output[0] for layer in found.layers if layer.kind == "Attention"} == {tokens}
    assert of("resnet").tokens is None
