"""The line of compound growth."""

from __future__ import annotations

import math

import pytest

from isoflop.scaling import Logs
from isoflop.scaling.exponents import Exponents
from isoflop.scaling.line import EFFICIENTNET, Line, shared

PLAIN = Exponents(depth=1.0, width=2.0, resolution=2.0)
OTHER = Exponents(depth=1.2, width=1.8, resolution=2.4)


def test_the_published_constants_give_1_92_a_phi():
    alpha, beta, gamma = EFFICIENTNET
    assert round(alpha * beta**2 * gamma**2, 2) == 1.92
    assert math.exp(PLAIN.flops(Line(alpha=alpha, beta=beta, gamma=gamma).at(1))) == pytest.approx(1.9203, abs=1e-4)


def test_phi_multiplies_by_the_constants():
    line = Line(alpha=1.2, beta=1.1, gamma=1.15)
    assert line.at(0) == (0, 0, 0)
    assert [math.exp(log) for log in line.at(2.5)] == pytest.approx([1.2**2.5, 1.1**2.5, 1.15**2.5])


@pytest.mark.parametrize("exponents", [PLAIN, OTHER])
def test_a_line_along_a_direction_doubles_flops_with_phi(exponents):
    line = Line.along(Logs(3.0, 1.0, 0.5), exponents)
    assert exponents.flops(line.at(1)) == pytest.approx(math.log(2))
    assert line.at(1).depth == pytest.approx(3 * line.at(1).width)
    published = Line.published(exponents)
    assert exponents.flops(published.at(2)) == pytest.approx(2 * math.log(2))
    assert published.at(1).depth / published.at(1).width == pytest.approx(math.log(1.2) / math.log(1.1))


def test_an_even_line_shares_flops_among_what_can_vary():
    line = Line.even(OTHER)
    assert (
        line.alpha**1.2
        == pytest.approx(line.beta**1.8)
        == pytest.approx(line.gamma**2.4)
        == pytest.approx(2 ** (1 / 3))
    )
    narrow = Line.even(Exponents(depth=1.0, width=2.0, resolution=None))
    assert (narrow.alpha, narrow.gamma) == (pytest.approx(2**0.5), 1.0)


def test_shares_of_flops_are_sizes_by_the_exponents():
    place = shared({"depth": 0.6, "resolution": 1.2}, OTHER)
    assert place == pytest.approx((0.5, 0.0, 0.5))
    assert OTHER.flops(place) == pytest.approx(1.8)
