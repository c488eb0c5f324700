"""Steps, reports and the fidelity's axis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.config import TrainConfig
from isoflop.errors import TrialError
from isoflop.length import Length


def test_epochs():
    length = Length.of(TrainConfig(batch_size=32, horizon=9, reports=9), images=100, flops=10)
    assert (length.epoch, length.steps, length.reports) == (3, 27, tuple(range(3, 28, 3)))
    assert length.fidelity(6) == 2.0
    assert length.spent(2) == 3 * 10 * 32 * 2


def test_flops_mean_the_same_compute_for_every_model():
    train = TrainConfig(batch_size=10, axis="flops", horizon=3e6, reports=9)
    for flops in (100, 999, 5000):
        length = Length.of(train, images=1000, flops=flops)
        assert length.spent(length.steps) <= 3e6 < length.spent(length.steps + 1)


def test_images():
    length = Length.of(TrainConfig(batch_size=10, axis="images", horizon=255, reports=5), images=1000, flops=1)
    assert length.steps == 25
    assert length.fidelity(25) == 250


def test_a_horizon_shorter_than_its_reports_is_refused():
    with pytest.raises(TrialError, match="is 3 steps of 10 images"):
        Length.of(TrainConfig(batch_size=10, axis="images", horizon=30, reports=9), images=1000, flops=1)


@given(batch=st.integers(1, 300), images=st.integers(1, 2000), horizon=st.floats(1, 40), reports=st.integers(1, 40))
def test_reports_ascend_to_the_last_step(batch: int, images: int, horizon: float, reports: int):
    train = TrainConfig(batch_size=batch, horizon=horizon, reports=reports)
    try:
        length = Length.of(train, images=images, flops=1)
    except TrialError:
        return
    assert len(set(length.reports)) == reports
    assert list(length.reports) == sorted(length.reports)
    assert length.reports[-1] == length.steps
