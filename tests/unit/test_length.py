"""Steps, reports and the fidelity's axis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.config import TrainConfig, TrialConfig
from isoflop.errors import TrialError
from isoflop.length import Length, Stage


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


def grown(**train: object) -> Length:
    """Four stages of which the first costs a quarter; the last begins after three quarters."""
    stages = [Stage(begins, flops) for begins, flops in ((0.0, 25), (0.25, 49), (0.5, 70), (0.75, 100))]
    return Length.of(TrainConfig(batch_size=10, **train), images=100, flops=100, stages=stages)


def test_steps_on_smaller_images_cost_less():
    length = grown(horizon=4, reports=4)
    assert [length.stage(step) for step in (0, 9, 10, 19, 20, 29, 30, 39)] == [0, 0, 1, 1, 2, 2, 3, 3]
    paid = [length.spent(step + 1) - length.spent(step) for step in range(40)]
    assert paid == [3 * 10 * flops for flops in (25, 49, 70, 100) for _ in range(10)]
    assert length.fidelity(40) == 4


@given(horizon=st.floats(1e4, 1e6))
def test_a_horizon_in_flops_is_used_up_where_images_grow_too(horizon: float):
    length = grown(axis="flops", horizon=horizon, reports=1)
    assert length.spent(length.steps) <= horizon
    longer = grown(axis="images", horizon=10 * (length.steps + 1), reports=1)
    assert longer.spent(length.steps + 1) > horizon
    assert (
        length.steps
        > Length.of(TrainConfig(batch_size=10, axis="flops", horizon=horizon, reports=1), images=100, flops=100).steps
    )
    assert length.fidelity(length.steps) == length.spent(length.steps)


def test_stages_grow_evenly_to_the_models_resolution():
    params = {"model.family": "resnet", "data.name": "x", "train.reports": 1}
    config = TrialConfig.from_params({**params, "resize.start": 0.4, "resize.until": 0.6, "resize.stages": 4})
    begins, shares = zip(*config.resize.plan(), strict=True)
    assert begins == pytest.approx((0, 0.2, 0.4, 0.6))
    assert shares == pytest.approx((0.4, 0.6, 0.8, 1))
    asked: list[float] = []
    length = Length.of_trial(
        config, images=640, flops=9, flops_at=lambda share: asked.append(share) or 9 * share**2, teachers={}
    )
    assert asked == pytest.approx([0.4, 0.6, 0.8])
    assert [stage.flops for stage in length.stages] == pytest.approx([1.44, 3.24, 5.76, 9])


def test_without_resizing_there_are_no_stages():
    config = TrialConfig.from_params({"model.family": "resnet", "data.name": "x", "train.reports": 1})
    length = Length.of_trial(
        config, images=640, flops=9, flops_at=lambda _: pytest.fail("nothing to count"), teachers={}
    )
    assert length == Length.of(config.train, images=640, flops=9)
    assert length.stage(50) == 0
