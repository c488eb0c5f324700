"""Families side by side."""

from __future__ import annotations

import pytest

from isoflop.compound.comparison import Compared
from isoflop.fitting.band import Band


def compared(**errors: tuple[float, float]) -> Compared:
    bands = {name: Band(value=value, low=value - half, high=value + half) for name, (value, half) in errors.items()}
    return Compared(axis="flops", place=1e6, errors=bands)


@pytest.mark.parametrize(
    ("other", "best"), [((0.20, 0.04), "one"), ((0.155, 0.04), "one"), ((0.149, 0.04), None), ((0.06, 0.001), "other")]
)
def test_the_best_is_told_from_each_other_by_their_difference(other: tuple[float, float], best: str | None):
    assert compared(one=(0.10, 0.03), other=other, third=(0.5, 0.01)).best == best


def test_bands_that_overlap_may_still_be_told_apart():
    row = compared(one=(0.10, 0.03), other=(0.155, 0.04))
    assert row.errors["one"].high > row.errors["other"].low
    assert row.best == "one"
