"""Nets that many depths and widths are rounded to are counted once, and as each would be."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from isoflop.config import ModelConfig
from isoflop.families import families, family
from isoflop.models.cost import Cost, cost, count
from isoflop.models.counting import Heard, Kin
from isoflop.models.net import Net
from isoflop.models.registry import assemble
from isoflop.scaling import Shape

IMAGE, CLASSES = (1, 32, 32), 10
SETTINGS = [(1.0, 1.0), (1.0, 1.004), (1.01, 1.0), (1.3, 1.07), (0.98, 0.99)]


def counted(model: ModelConfig) -> Cost:
    """Anew, as `cost` gives it."""
    peak, found = count(model, image=IMAGE, classes=CLASSES)
    return replace(found, memory=peak.bytes(1, 2), batch=1)


@pytest.mark.parametrize("name", list(families()))
def test_every_setting_is_counted_as_it_is_alone(name: str):
    for depth, width in SETTINGS:
        chosen = {"stem": family(name).stem, "depth": 0.5 * depth, "width": 0.2 * width, "divisor": 2}
        model = ModelConfig.model_validate({"family": name, **chosen})
        assert cost(model, image=IMAGE, classes=CLASSES) == counted(model)


def shape(depth: float = 1.0, width: float = 1.0) -> Shape:
    return Shape(depth=depth, width=width, resolution=32, stem=4)


def test_a_shape_that_gives_every_answer_is_the_same_net():
    kin: Kin[str] = Kin()
    heard = Heard(shape())
    assert (heard.layers(3), heard.channels(64), heard.channels(64, 4), heard.heads(192, 64)) == (3, 64, 64, (192, 3))
    assert (heard.resolution, heard.stem, heard.divisor, heard.reduced(0.5, 8)) == (32, 4, 8, 16)
    assert str(heard) == str(shape())
    kin.keep(heard, "found")
    assert kin.like(shape(depth=0.9, width=1.01)) == "found"
    assert kin.like(shape(depth=1.1)) is None
    assert kin.like(shape(width=1.04)) is None


@pytest.mark.parametrize("multiplier", ["depth", "width"])
def test_a_builder_that_asks_for_a_multiplier_itself_shares_nothing_with_another(multiplier: str):
    kin: Kin[str] = Kin()
    heard = Heard(shape())
    assert getattr(heard, multiplier) == 1.0
    kin.keep(heard, "found")
    assert kin.like(shape()) == "found"
    assert kin.like(shape(**{multiplier: 1.001})) is None


def test_nets_that_are_one_are_counted_once(monkeypatch: pytest.MonkeyPatch):
    built: list[str] = []

    def watched(asked: Shape, model: ModelConfig, *, channels: int, classes: int) -> Net:
        built.append(str(asked))
        return assemble(asked, model, channels=channels, classes=classes)

    monkeypatch.setattr(import_module("isoflop.models.cost"), "assemble", watched)
    shapes = []
    for step in range(20):
        model = ModelConfig(family="vit", stem=4, depth=0.3, width=0.31 * (1 + step / 1000))
        shapes.append(cost(model, image=IMAGE, classes=CLASSES).shape)
    assert built == ["d0.3 w0.31 r32 s4"]
    assert shapes[-1] == "d0.3 w0.316 r32 s4", "each says its own setting"
