"""Receptive fields: windows by hand, published nets, and what meets where paths join."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from isoflop.models.counting import Tally
from isoflop.models.field import Axis, Field, Fields

PUBLISHED = {
    "torchvision alexnet": 195,
    "torchvision vgg16": 212,
    "torchvision resnet18": 435,
    "torchvision inception_v3": 1311,
    "timm inception_v4": 2071,
    "timm inception_resnet_v2": 3039,
    "timm mobilenetv1_100": 315,
}
"""Araujo et al. 2019, the table of receptive fields (its ResNets of bottlenecks have their strides elsewhere)."""


def last_map(net: nn.Module, size: int = 299) -> Field:
    with torch.device("meta"):
        images = torch.empty(2, 3, size, size)
    fields = Fields(images)
    with Tally(net.to("meta").eval(), fields):
        net(images)
    assert fields.pooled is not None
    return fields.pooled


def of(*layers: nn.Module, size: int = 64) -> Field:
    return last_map(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1)), size)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_nets_see_what_was_published(name: str):
    library, model = name.split()
    options = {"init_weights": False} if "inception_v3" in name else {}
    with torch.device("meta"):
        net = torchvision.models.get_model(model, **options) if library == "torchvision" else timm.create_model(model)
    assert last_map(net).side == PUBLISHED[name]


@pytest.mark.parametrize(
    ("layers", "height", "width"),
    [
        ([nn.Conv2d(3, 4, 5)], Axis(0, 4, 1), Axis(0, 4, 1)),
        ([nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1)], Axis(-3, 3, 2), Axis(-3, 3, 2)),
        ([nn.Conv2d(3, 4, 3, dilation=4, padding="same")], Axis(-4, 4, 1), Axis(-4, 4, 1)),
        ([nn.Conv2d(3, 4, (1, 7), padding=(0, 3))], Axis(0, 0, 1), Axis(-3, 3, 1)),
        ([nn.MaxPool2d(3, 2), nn.AvgPool2d(2)], Axis(0, 4, 4), Axis(0, 4, 4)),
        ([nn.LPPool2d(2, 3, stride=2)], Axis(0, 2, 2), Axis(0, 2, 2)),
        ([nn.ZeroPad2d((1, 0, 2, 0)), nn.Conv2d(3, 4, 3)], Axis(-2, 0, 1), Axis(-1, 1, 1)),
        ([nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(), nn.LocalResponseNorm(5)], Axis(), Axis()),
    ],
)
def test_windows_slide(layers: list[nn.Module], height: Axis, width: Axis):
    found = of(*layers)
    assert (found.height, found.width) == (height, width)
    assert not found.context


class Joined(nn.Module):
    """Two paths whose windows are not centred alike."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left = nn.functional.pad(x, (2, 0, 0, 0))[..., : x.shape[-1]]
        return torch.cat([left, nn.functional.max_pool2d(x, 3, 1, 1)], dim=1)


def test_paths_that_are_not_centred_alike_meet_rightly():
    found = of(Joined())
    assert (found.height, found.width) == (Axis(-1, 1, 1), Axis(-2, 1, 1))
    assert found.side == 4


class Gated(nn.Module):
    """Squeeze-and-excitation without its layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.mean((2, 3), keepdim=True).sigmoid()


def test_a_gate_brings_context_and_leaves_the_window():
    found = of(nn.Conv2d(3, 4, 3, padding=1), Gated())
    assert found.side == 3
    assert found.context
    assert not found.everything


def test_norms_over_places_bring_context():
    assert of(nn.GroupNorm(1, 3)).context
    assert of(nn.InstanceNorm2d(3)).context


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "pvt_v2_b0", "coatnet_0_224", "swin_tiny_patch4_window7_224"])
def test_attention_sees_everything(name: str):
    with torch.device("meta"):
        net = timm.create_model(name)
    found = last_map(net, 224)
    assert found.everything
    assert found.context


def test_what_was_pooled_to_a_grid_is_not_the_last_map():
    found = of(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(5), nn.Conv2d(4, 4, 3))
    assert found.side == 3
