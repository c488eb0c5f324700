"""How FLOPs grow around a base."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from isoflop.errors import Fault, SpecError
from isoflop.scaling import Extent, Logs
from isoflop.scaling.exponents import Exponents, exponents
from tests.unit.scaling.made import count, model


@pytest.mark.parametrize("powers", [(1.0, 2.0, 2.0), (1.3, 1.7, 2.4), (2.0, 0.5, 1.0)])
def test_the_exponents_of_a_power_law_are_found(powers):
    def counted(model):
        sizes = (model.depth, model.width, model.resolution)
        flops = math.prod(size**power for size, power in zip(sizes, powers, strict=True))
        return Extent(depth=model.depth, width=model.width, resolution=model.resolution, flops=flops)

    found = exponents(model(), counted)
    assert (found.depth, found.width, found.resolution) == pytest.approx(powers)
    assert found.free == ("depth", "width", "resolution")


def test_those_of_convolutions_are_near_1_2_and_2():
    found = exponents(model(), count)
    assert (found.depth, found.width, found.resolution) == pytest.approx((1, 2, 2), abs=0.15)


def test_a_dimension_that_cannot_vary_has_none():
    def flat(model):
        return Extent(depth=7, width=model.width, resolution=28, flops=model.width**2)

    found = exponents(model(), flat)
    assert (found.depth, found.resolution) == (None, None)
    assert found.free == ("width",)
    assert found.flops(Logs(5.0, 1.0, 5.0)) == pytest.approx(2.0)


def test_shapes_that_cannot_be_are_left_out():
    def bounded(model):
        if model.resolution > 32 or model.depth > 0.5:
            raise SpecError(Fault("model.resolution", "too much", "none"))
        return count(model)

    found = exponents(model(), bounded)
    assert (found.depth, found.resolution) == pytest.approx((1, 2), abs=0.15)


def test_flops_at_a_place_are_what_the_dimensions_bring():
    known = Exponents(depth=1.0, width=2.0, resolution=2.5)
    assert known.flops(Logs(0.1, 0.2, 0.3)) == pytest.approx(0.1 + 0.4 + 0.75)


def test_how_far_flops_stand_off_a_power_law_is_said():
    def stairs(model):
        extent = count(model)
        return replace(extent, flops=extent.flops * (2.0 if extent.resolution > 32 else 1.0))

    even, uneven = exponents(model(), count).spread, exponents(model(), stairs).spread
    assert max(even) < 0.1
    assert uneven.resolution > 0.1
    assert uneven.depth == even.depth
