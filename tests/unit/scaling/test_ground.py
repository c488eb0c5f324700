"""Nets that can be built around a base, at wanted FLOPs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import Fault, SpecError
from isoflop.families import family
from isoflop.models.extent import counter
from isoflop.scaling import Extent, Logs, Shape
from isoflop.scaling.ground import Ground
from isoflop.scaling.line import Line
from tests.unit.scaling.made import count, model

GROUND = Ground.around(model(), count)
FLOPS = GROUND.extent.flops
HERE = Logs(0, 0, 0)


def test_the_base_is_placed_at_itself():
    found = GROUND.place(HERE, FLOPS)
    assert found.model == GROUND.base
    assert found.residual == 0
    assert found.missed == HERE


def test_a_base_is_taken_with_its_phi_and_stored_resolution():
    given_ = model(resolution=None, phi=2.0)
    ground, row = Ground.around(given_, count), family("resnet")
    assert ground.base.phi == 0
    assert ground.base.depth == pytest.approx(0.5 * row.alpha**2)
    assert ground.base.resolution == Shape.of(given_, 32).resolution
    assert count(ground.base) == ground.extent


@given(st.floats(-0.5, 1.0), st.floats(-0.3, 0.5), st.floats(-1.0, 4.0))
@settings(max_examples=40, deadline=None)
def test_every_net_is_within_5_percent_and_near_where_it_was_wanted(depth, resolution, doublings):
    flops = FLOPS * 2**doublings
    found = GROUND.place(Logs(depth, 0.0, resolution), flops)
    assert abs(found.residual) <= 0.05
    assert found.extent == count(found.model)
    assert found.residual == pytest.approx(found.extent.flops / flops - 1)
    assert found.found == found.extent.over(GROUND.extent)
    assert abs(found.missed.depth) < 0.2
    assert abs(found.missed.resolution) < 0.05


def coarse(given_):
    """Channels in steps that double."""
    extent = count(given_)
    width = 2.0 ** round(math.log2(extent.width))
    return Extent(
        depth=extent.depth,
        width=width,
        resolution=extent.resolution,
        flops=extent.depth * width**2 * extent.resolution**2,
    )


def test_where_width_is_coarse_neighbours_in_depth_and_resolution_have_the_flops():
    ground = Ground.around(model(), coarse)
    careless = []
    for doublings in (0.5, 1.0, 1.5):
        flops, wanted = ground.extent.flops * 2**doublings, Line.even(ground.exponents).at(doublings)
        found = ground.place(wanted, flops)
        careless.append(abs(ground.place(wanted, flops, tolerance=1.0).residual))
        assert found.within(0.05)
        assert found.missed.distance(HERE) < 0.8
    assert max(careless) > 0.05


def test_where_nothing_has_the_flops_the_residual_is_shown():
    def stuck(given_):
        return Extent(depth=8, width=8, resolution=32, flops=1e6)

    found = Ground.around(model(), stuck).place(HERE, 3e6)
    assert found.residual == pytest.approx(-2 / 3)
    assert not found.within()


def test_neighbours_that_cannot_be_are_passed_over():
    def narrow(given_):
        if given_.resolution not in {32, 36}:
            raise SpecError(Fault("model.resolution", "not this one", "none"))
        return count(given_)

    found = Ground.around(model(), narrow).place(Logs(0, 0, 0.1), FLOPS * 1.2)
    assert found.model.resolution == 36
    with pytest.raises(SpecError, match="not this one"):
        Ground.around(model(), narrow).place(Logs(0, 0, 1.0), FLOPS * 4)


@pytest.mark.parametrize("dimension", ["depth", "width", "resolution"])
def test_one_dimension_alone_takes_all(dimension):
    found = GROUND.only(dimension, FLOPS * 8)
    assert abs(found.residual) <= 0.05
    assert found.found.of(dimension) > 0.5
    assert all(found.found.of(name) == 0 for name in {"depth", "width", "resolution"} - {dimension})
    assert found.missed == HERE


def test_where_one_dimension_is_too_coarse_the_others_help_out():
    ground = Ground.around(model(stem=4, width=0.5), count)
    found = ground.only("resolution", ground.extent.flops * 1.3)
    assert abs(found.residual) <= 0.05
    assert abs(found.found.width) < 0.2


@pytest.mark.parametrize(("dimension", "step"), [("depth", 0.3), ("depth", -0.3), ("resolution", 0.2)])
def test_the_nearest_step_is_said(dimension, step):
    assert GROUND.reach(dimension, step) == pytest.approx(step, abs=0.12)


def test_there_is_no_step_where_rounding_is_coarser():
    assert Ground.around(model(stem=4, resolution=32), count).reach("resolution", 0.03) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"family": "resnet", "variant": "34", "width": 0.0625, "depth": 0.34, "divisor": 1},
        {"family": "efficientnet", "width": 0.25, "depth": 0.5, "divisor": 1, "stem": 2},
        {"family": "vit", "width": 0.25, "depth": 0.25, "stem": 7},
    ],
    ids=["resnet", "efficientnet", "vit"],
)
def test_counted_nets_of_families_are_within_5_percent(settings):
    base = type(GROUND.base).model_validate(settings)
    ground = Ground.around(base, counter(image=(1, 28, 28), classes=10))
    found = ground.place(Logs(0.1, 0.1, 0.1), ground.extent.flops * 2)
    assert abs(found.residual) <= 0.05
    assert found.missed.distance(HERE) < 0.5
