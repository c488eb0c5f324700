"""Depth, width and resolution, counted."""

from __future__ import annotations

import pytest

from isoflop.config import ModelConfig
from isoflop.families import families, family
from isoflop.models.extent import counter
from isoflop.scaling import Extent, smallest

SIDE = 32
count = counter(image=(1, SIDE, SIDE), classes=10)
every_family = pytest.mark.parametrize("name", list(families()))
MIXED = {"googlenet", "inception_v2", "inception_v3", "inception_v4", "inception_resnet"}
"""Families whose stages are made of modules of several widths, so that more of them change the mean."""
REDUCED = {"pvt"}
"""Families whose attention reduces small maps less, by a layer each."""


def counted(name: str, **settings) -> Extent:
    chosen = {"stem": family(name).stem, "depth": 1.0, "width": 0.25, "divisor": 1, **settings}
    return count(ModelConfig(family=name, **chosen))


@every_family
def test_depth_alone_changes_counted_depth_alone(name):
    base, deeper = counted(name), counted(name, depth=2.0)
    assert deeper.depth > 1.3 * base.depth
    assert deeper.width == pytest.approx(base.width, rel=0.15 if name in MIXED else 1e-9)
    assert deeper.resolution == base.resolution
    assert deeper.flops > base.flops


@every_family
def test_width_alone_changes_counted_width_alone(name):
    base, wider = counted(name, depth=0.5), counted(name, depth=0.5, width=0.5)
    assert wider.depth == base.depth
    assert wider.width == pytest.approx(2 * base.width, rel=0.1)
    assert wider.resolution == base.resolution


@every_family
def test_resolution_alone_changes_counted_resolution_alone(name):
    base, finer = counted(name, depth=0.5), counted(name, depth=0.5, resolution=2 * SIDE)
    assert finer.depth == pytest.approx(base.depth, abs=2 if name in REDUCED else 0)
    assert finer.width == pytest.approx(base.width, rel=1e-9)
    assert finer.resolution == 2 * base.resolution


@pytest.mark.parametrize(
    ("name", "variant", "layers"),
    [
        ("resnet", "18", 17),
        ("resnet", "34", 33),
        ("resnet", "50", 49),
        ("resnet", "152", 151),
        ("vgg", "16", 15),
        ("densenet", "121", 120),
        ("densenet", "161", 160),
        ("googlenet", "v1", 21),
        ("mobilenet_v1", "x1.0", 27),
        ("vit", "ti", 49),
    ],
)
def test_a_published_net_has_the_layers_of_its_name_without_its_head(name, variant, layers):
    model = ModelConfig.model_validate(family(name).canonical(variant))
    side = max(SIDE, smallest(name, model.stem or 1))
    assert counter(image=(3, side, side), classes=10)(model).depth == layers


@pytest.mark.parametrize(
    ("name", "channels"), [("resnet", (64 * 128 * 256 * 512) ** 0.25), ("vit", 192), ("densenet", 32)]
)
def test_a_published_net_has_the_channels_of_its_stages(name, channels):
    model = ModelConfig.model_validate({**family(name).canonical(), "stem": 4})
    assert count(model).width == pytest.approx(channels)


def test_a_place_is_seen_from_a_base():
    base = Extent(depth=10, width=16.0, resolution=32, flops=1e6)
    there = Extent(depth=20, width=16.0, resolution=16, flops=3e6)
    assert there.over(base) == pytest.approx((0.6931, 0.0, -0.6931), abs=1e-4)
    assert there.times(base) == 3
    assert base.over(base) == (0, 0, 0)
