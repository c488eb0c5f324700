"""Xception: its flows, its odd resolution, and paths that are dropped."""

from __future__ import annotations

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.models import Net, build, cost


def xception(size: int = 16, **settings) -> Net:
    model = ModelConfig(family="xception", **{"width": 0.02, "divisor": 1, **settings})
    return build(model, image=(3, size, size), classes=10, seed=0)


def test_the_published_net_is_counted_on_its_own_pixels_though_they_are_odd():
    found = cost(ModelConfig(family="xception", stem=2), image=(3, 299, 299), classes=1000)
    assert found.parameters == 22_855_952
    maps = [layer.output[1] for layer in found.layers if layer.kind == "MaxPool2d"]
    assert maps == [74, 37, 19, 10]


@pytest.mark.parametrize(("size", "stem"), [(301, 2), (299, 4)])
def test_other_odd_pixels_are_refused(size, stem):
    with pytest.raises(SpecError, match=f"{size} pixels are no multiple of stem or patch size {stem}"):
        xception(size, stem=stem)


def test_depth_is_blocks_of_the_middle_flow():
    blocks = [[len(stage) for stage in xception(depth=depth).body.stages] for depth in (0.1, 1.0, 1.5)]
    assert blocks == [[1, 1, 2, 7], [1, 1, 9, 7], [1, 1, 13, 7]]


@pytest.mark.parametrize(("size", "stem", "strides"), [(8, 1, [2, 4]), (10, 2, [2]), (224, 2, [4, 8, 16, 32])])
def test_small_images_are_shrunk_less(size, stem, strides):
    assert list(xception(size, stem=stem, depth=0.1).eval().features(torch.zeros(1, 3, size, size))) == strides


def test_drop_path_drops_whole_branches_of_a_training_net():
    model, images = xception(drop_path=0.9, depth=0.5), torch.randn(8, 3, 16, 16)
    rates = [module.drop_prob for module in model.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.9 * k / 7 for k in range(1, 8)])
    block = model.train().body.stages[2][-1]
    block.rep[-1].drop_prob = 1 - 1e-9
    x = torch.randn(2, block.rep[1].conv1.in_channels, 4, 4)
    assert torch.equal(block(x.clone()), x)
    assert not torch.equal(block.eval()(x.clone()), x)
    assert isinstance(block.rep[0], nn.ReLU)
    assert not torch.equal(model.train()(images), model(images))
