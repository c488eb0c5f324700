"""Shapes: what a configuration's depth, width and resolution come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isoflop.config import ModelConfig
from isoflop.errors import SpecError
from isoflop.families import families, family
from isoflop.scaling import LARGEST, Shape


def shape(name: str = "resnet", stored: int = 32, **settings) -> Shape:
    return Shape.of(ModelConfig(family=name, **settings), stored)


def test_defaults_are_the_familys_base_at_the_stored_resolution():
    assert shape("vit", 28) == Shape(depth=1.0, width=1.0, resolution=28, stem=4, divisor=8)


def test_a_resolution_given_is_used_instead_of_the_stored_one():
    assert shape(resolution=24).resolution == 24


def test_phi_multiplies_by_the_familys_bases():
    row = family("resnet")
    grown = shape(phi=2.0, depth=0.5, width=0.25, stored=100)
    assert grown.depth == pytest.approx(0.5 * row.alpha**2)
    assert grown.width == pytest.approx(0.25 * row.beta**2)
    assert grown.resolution == round(100 * row.gamma**2)


@pytest.mark.parametrize("name", families())
@given(phi=st.floats(-16, 12), stored=st.integers(8, 256))
def test_phi_leaves_every_stem_a_legal_resolution(name, phi, stored):
    for stem in family(name).stems:
        at_zero = stored // stem * stem or stem
        if at_zero >= 8 and phi:
            scaled = shape(name, at_zero, stem=stem, phi=phi)
            assert scaled.resolution >= 8
            assert scaled.resolution % stem == 0


def test_a_published_resolution_need_not_be_a_multiple_of_the_published_stem():
    assert Shape.of(ModelConfig(family="inception_v3", stem=8), 299).resolution == 299
    with pytest.raises(SpecError, match="nearest legal: 296 and 300"):
        Shape.of(ModelConfig(family="inception_v3", stem=4), 299)
    with pytest.raises(SpecError, match="nearest legal: 296 and 304"):
        Shape.of(ModelConfig(family="googlenet", stem=8), 299)


@pytest.mark.parametrize(
    ("name", "stem", "stored", "nearest"),
    [
        ("resnet", 4, 30, "28 and 32"),
        ("vit", 16, 28, "16 and 32"),
        ("vit", 7, 8, "14 and 21"),
        ("vit", 32, 8, "32 and"),
    ],
)
def test_a_stem_that_does_not_divide_the_resolution_names_the_nearest_legal_ones(name, stem, stored, nearest):
    with pytest.raises(
        SpecError, match=rf"model\.resolution: {stored} pixels are no multiple .* nearest legal: {nearest}"
    ):
        shape(name, stored, stem=stem)


def test_images_of_less_than_8_pixels_are_refused():
    with pytest.raises(SpecError, match="7 pixels are less than 8; nearest legal: 8 and 9"):
        shape(stored=7)


def test_every_fault_of_a_shape_is_told_at_once():
    with pytest.raises(SpecError) as caught:
        shape(stored=30, stem=4, depth=2 * LARGEST, width=2 * LARGEST)
    assert [fault.where for fault in caught.value.faults] == ["model.resolution", "model.depth", "model.width"]


def test_phi_counts_towards_the_largest_shape():
    shape(depth=LARGEST)
    with pytest.raises(SpecError, match=r"model\.depth"):
        shape(depth=LARGEST, phi=0.5)


@pytest.mark.parametrize("phi", [float("nan"), float("inf"), 1e6])
def test_a_phi_that_no_net_could_have_is_refused(phi):
    with pytest.raises(ValidationError, match="phi"):
        ModelConfig(family="resnet", phi=phi)


def test_layers_are_rounded_up_and_never_none():
    assert [shape(depth=depth).layers(2) for depth in (0.01, 0.5, 0.75, 1.0, 1.5)] == [1, 1, 2, 2, 3]
    assert shape(depth=1.1 / 1.1).layers(3) == 3


def test_layers_are_not_rounded_up_for_a_floats_last_digit():
    assert shape(depth=0.1 + 0.2).layers(10) == 3


def test_channels_are_multiples_of_the_divisor():
    assert [shape(width=width).channels(64) for width in (0.01, 0.125, 0.25, 1.0, 1.1)] == [8, 8, 16, 64, 72]
    assert shape(width=0.1, divisor=2).channels(64) == 6


def test_a_shape_is_a_line():
    assert str(shape("vit", 28, depth=0.25, width=0.3333)) == "d0.25 w0.333 r28 s4"
