"""The depths and resolutions that can be built."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.scaling.ladder import Ladder, resolutions
from tests.unit.scaling.made import STAGES, count, model


def depths(setting: float) -> int:
    return int(count(model(depth=setting)).depth)


REACHED = sorted({depths(0.5 * 2 ** (place / 32)) for place in range(-100, 101)})


@pytest.mark.parametrize("depth", [9, 17, 20, 24.5, 33, 60])
def test_rungs_come_nearest_first_and_each_once(depth):
    found = [rung.size for rung in islice(Ladder("depth", model(), count).near(depth), 6)]
    assert found == sorted(REACHED, key=lambda one: max(one, depth) / min(one, depth))[:6]


@given(st.floats(5, 150))
@settings(max_examples=30, deadline=None)
def test_a_rung_is_what_its_setting_counts_as(depth):
    for rung in islice(Ladder("depth", model(), count).near(depth), 4):
        assert depths(rung.setting) == rung.size


def test_a_rung_has_one_setting_whatever_it_was_looked_for():
    ladder = Ladder("depth", model(), count)
    found = {rung for depth in range(9, 60) for rung in islice(ladder.near(depth), 5)}
    assert len({rung.size for rung in found}) == len(found)


def test_the_rung_of_the_base_is_the_bases_own_setting():
    here = count(model()).depth
    assert next(Ladder("depth", model(), count).near(here)).setting == 0.5


def test_there_is_an_end_below_and_above():
    found = [rung.size for rung in Ladder("depth", model(depth=10.0), count).near(1)]
    assert found[0] == 1 + 2 * len(STAGES)
    assert all(low < high for low, high in pairwise(found))
    assert found[-1] <= count(model(depth=100.0)).depth


def test_resolutions_are_multiples_of_the_stem_and_the_bases_own():
    base = model(stem=4, resolution=30, depth=0.5)
    extent = count(model(resolution=30))
    assert resolutions(base, extent, 29.5)[:4] == [30, 28, 32, 36]
    assert min(resolutions(base, extent, 30)) == 8
