"""Stars and simplices near equal-FLOP surfaces."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.scaling import Extent
from isoflop.scaling.design import CENTRE, design, simplex, star
from isoflop.scaling.ground import Ground
from tests.unit.scaling.made import count, model

GROUND = Ground.around(model(), count)
FOUND = design(GROUND)
ALL = ("depth", "width", "resolution")


@given(st.floats(1, 16), st.lists(st.floats(1.1, 3), min_size=3, max_size=3), st.sampled_from([ALL, ALL[:2], ALL[1:2]]))
def test_a_star_lies_on_its_surface_around_its_middle(level, longs, free):
    arms = dict(zip(free, longs, strict=False))
    places = star(level, arms)
    assert len(places) == (1 + 2 * len(free) if len(free) > 1 else 1)
    for role, shares in places.items():
        assert sum(shares.values()) == pytest.approx(math.log(level))
        if role != CENTRE:
            gain = shares[role[:-1]] - places[CENTRE][role[:-1]]
            assert gain == pytest.approx(math.log(arms[role[:-1]]) * (1 if role.endswith("+") else -1))


def test_corners_give_all_that_is_more_to_one_dimension():
    assert simplex(1.0, ALL) == {}
    assert simplex(4.0, ALL) == {f"all into {name}": {name: math.log(4)} for name in ALL}


def test_every_net_is_within_5_percent_of_its_surface():
    for point in FOUND.points:
        assert point.placement.target == GROUND.extent.flops * point.level
        assert abs(point.placement.residual) <= 0.05
    assert FOUND.fixed == FOUND.uneven == {}


def test_a_level_has_a_star_and_low_ones_corners():
    assert Counter(point.level for point in FOUND.points) == {1.0: 7, 2.0: 10, 4.0: 7, 8.0: 7}
    roles = {role for point in FOUND.points for role in point.roles}
    assert roles == {CENTRE, *(f"{name}{sign}" for name in ALL for sign in "+-"), *(f"all into {name}" for name in ALL)}


@pytest.mark.parametrize("name", ALL)
def test_arms_stand_apart_in_their_dimension(name):
    at = {(role, point.level): point.placement.found.of(name) for point in FOUND.points for role in point.roles}
    for level in (1.0, 2.0, 4.0, 8.0):
        assert at[f"{name}-", level] < at[CENTRE, level] < at[f"{name}+", level]


def test_no_dimension_is_multiplied_by_more_than_the_arm():
    """Where FLOPs hardly rise with the resolution, an arm in FLOPs would be a very long one in pixels."""

    def flat(given_):
        extent = count(given_)
        return replace(extent, flops=extent.depth * extent.width**2 * extent.resolution**0.5)

    ground = Ground.around(model(), flat)
    assert ground.exponents.resolution == pytest.approx(0.5, abs=0.05)
    found = {role: point.placement for point in design(ground, levels=(1.0,)).points for role in point.roles}
    assert math.exp(found["resolution+"].found.resolution) == pytest.approx(2.5, rel=0.05)
    assert math.exp(found["depth+"].found.depth) == pytest.approx(2.5, rel=0.06), "as FLOPs have it"


def test_directions_can_be_told_apart():
    """The design's logs span depth, width and resolution at equal FLOPs, so that a fit of them has full rank."""
    rows = [point.placement.found for point in FOUND.points if point.level == 4.0]
    depth, width = ([row.of(name) for row in rows] for name in ALL[:2])
    assert abs(_correlation(depth, width)) < 0.9


def _correlation(one: list[float], other: list[float]) -> float:
    means = sum(one) / len(one), sum(other) / len(other)
    pairs = [(a - means[0], b - means[1]) for a, b in zip(one, other, strict=True)]
    return sum(a * b for a, b in pairs) / math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))


def test_logs_are_rows_of_an_array():
    assert FOUND.logs[0] == (0, 0, 0)
    assert {len(row) for row in FOUND.logs} == {3}


def test_a_dimension_held_fixed_is_named_and_does_not_vary():
    found = design(GROUND, vary=("depth", "width"))
    assert found.fixed == {"resolution": "held fixed"}
    assert {point.placement.model.resolution for point in found.points} == {32}
    assert [point.roles for point in found.points if point.level == 1.0] == [
        (CENTRE,),
        ("depth+", "width-"),
        ("depth-", "width+"),
    ]


def test_a_dimension_that_cannot_vary_at_this_size_is_named():
    def shallow(given_):
        extent = count(given_)
        depth = 8 if given_.depth <= 2 else 16
        return Extent(
            depth=depth,
            width=extent.width,
            resolution=extent.resolution,
            flops=depth * extent.width**2 * extent.resolution**2,
        )

    assert design(Ground.around(model(), shallow), levels=(1.0,)).fixed == {
        "depth": "every setting around the base is the same net"
    }
    found = design(Ground.around(model(depth=1.9), shallow), levels=(1.0,), arm=1.2)
    assert found.fixed == {"depth": "rounding is coarser than a step of 1.20 times"}


def test_resolution_is_named_where_the_stem_is_coarser_than_the_arm():
    found = design(Ground.around(model(stem=4, depth=8.0), count), levels=(1.0,), arm=1.04)
    assert [*found.fixed] == ["resolution"]
    assert "rounding is coarser" in found.fixed["resolution"]


def test_roles_that_are_one_net_are_one_point():
    extents = [point.placement.extent for point in FOUND.points]
    assert len(set(extents)) == len(extents)
    shared = design(Ground.around(model(), count), levels=(1.0, 1.0))
    assert len(shared.points) == 14


def test_a_design_is_json():
    point = FOUND.to_dict()["points"][0]
    assert point["roles"] == [CENTRE]
    assert point["residual"] == 0


def test_a_dimension_with_which_flops_rise_in_stairs_is_named():
    def stairs(given_):
        extent = count(given_)
        return replace(extent, flops=extent.flops * (2.0 if extent.resolution > 32 else 1.0))

    found = design(Ground.around(model(), stairs), levels=(1.0,))
    assert [*found.uneven] == ["resolution"]
    assert all(abs(point.placement.residual) <= 0.05 for point in found.points)
