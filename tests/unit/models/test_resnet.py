"""ResNet against torchvision's."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torchvision.models import ResNet as Reference
from torchvision.models.resnet import BasicBlock, Bottleneck

from isoflop.config import ModelConfig
from isoflop.models import Net, build, cost
from isoflop.models.resnet import Split


def resnet(size: int, *, seed: int = 0, classes: int = 10, **settings) -> Net:
    return build(ModelConfig(family="resnet", **settings), image=(3, size, size), classes=classes, seed=seed)


def test_resnet_18_has_the_published_size():
    found = cost(ModelConfig(family="resnet", stem=4), image=(3, 224, 224), classes=1000)
    assert found.parameters == 11_689_512
    assert found.macs == 1_814_073_344  # torchvision states 1.814 G


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        ({"depth": 1.0}, partial(Reference, BasicBlock, [2, 2, 2, 2])),
        ({"depth": 0.5, "block": "bottleneck"}, partial(Reference, Bottleneck, [1, 1, 1, 1])),
        (
            {"depth": 0.1, "variant": "x50"},
            partial(Reference, Bottleneck, [1, 1, 1, 1], groups=32, width_per_group=4),
        ),
    ],
)
def test_equal_weights_give_torchvisions_logits(settings, made):
    ours, reference = resnet(64, stem=4, **settings).eval(), made(num_classes=10).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), reference.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images))


def test_groups_keep_a_channel_in_narrow_nets():
    found = []
    for planes in range(1, 65):
        with torch.device("meta"):
            middle = Split(4 * planes, planes).conv2
        assert middle.groups == 32
        found.append(middle.out_channels)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (32, 128)


def test_blocks_begin_as_the_identity():
    layer = resnet(16, width=0.25).eval().body.stages[0]
    x = torch.rand(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize(
    ("size", "stem", "strides"),
    [
        (8, 1, [1, 2, 4]),
        (8, 2, [2, 4]),
        (8, 4, [4]),
        (28, 1, [1, 2, 4, 8]),
        (32, 2, [2, 4, 8, 16]),
        (224, 4, [4, 8, 16, 32]),
    ],
)
def test_small_images_are_shrunk_less(size, stem, strides):
    with torch.device("meta"):
        model = build(ModelConfig(family="resnet", stem=stem, width=0.125), image=(1, size, size), classes=10)
        assert list(model.features(torch.empty(2, 1, size, size))) == strides


def test_drop_path_drops_whole_branches_of_a_training_net():
    model, images = resnet(16, width=0.125, drop_path=0.9), torch.randn(8, 3, 16, 16)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    rates = [module.drop_prob for module in model.modules() if type(module).__name__ == "DropPath"]
    assert rates == pytest.approx([0.9 * k / 7 for k in range(1, 8)])
    assert not torch.equal(model.train()(images), model(images))


def test_very_small_nets_are_possible():
    model = ModelConfig(family="resnet", depth=0.5, width=0.03, divisor=1)
    assert cost(model, image=(1, 8, 8), classes=10).parameters < 5_000
