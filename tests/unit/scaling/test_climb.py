"""Nets along a line, and controls beside them."""

from __future__ import annotations

import pytest

from isoflop.scaling.climb import PUBLISHED, Climb
from isoflop.scaling.ground import Ground
from isoflop.scaling.line import Line
from tests.unit.scaling.made import count, model

GROUND = Ground.around(model(), count)
CLIMB = Climb(ground=GROUND, line=Line.even(GROUND.exponents))


@pytest.mark.parametrize("phi", [step / 2 for step in range(9)])
def test_half_steps_have_their_flops_and_stay_on_the_line(phi):
    found = CLIMB.at(phi)
    assert found.target == GROUND.extent.flops * 2**phi
    assert abs(found.residual) <= 0.05
    assert found.wanted == CLIMB.line.at(phi)
    assert found.missed.distance(found.missed._replace(depth=0, width=0, resolution=0)) < 0.25


def test_phi_0_is_the_base():
    assert CLIMB.at(0).model == GROUND.base


@pytest.mark.parametrize("phi", [3.5, 4.0])
def test_controls_have_the_same_flops(phi):
    found = CLIMB.controls(phi)
    assert [*found] == ["depth", "width", "resolution", PUBLISHED]
    assert all(abs(control.residual) <= 0.05 for control in found.values())
    assert len({control.extent for control in found.values()}) == 4
    assert found[PUBLISHED].wanted == Line.published(GROUND.exponents).at(phi)


def test_a_tolerance_is_kept_to():
    exact = Climb(ground=GROUND, line=CLIMB.line, tolerance=0.005)
    assert abs(exact.at(2.5).residual) <= 0.005


def test_a_net_says_all_about_itself_in_json():
    found = CLIMB.at(1.5).to_dict()
    assert found["flops"] / found["target"] - 1 == pytest.approx(found["residual"])
    assert set(found["logs"]) == {"depth", "width", "resolution"}
    assert found["model"]["family"] == "resnet"
