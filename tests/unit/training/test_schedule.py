"""The learning rate is a pure function of the step, equal to torch's own schedules."""

from __future__ import annotations

import math

import pytest
import torch

from isoflop.config import ScheduleConfig
from isoflop.training.schedule import rate


def test_cosine_equals_torch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.03)
    config = ScheduleConfig(warmup=0.0, final=0.1)
    for step in range(50):
        assert rate(step, 50, 0.3, config) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        reference.step()


def test_warmup_climbs_linearly_to_the_peak():
    config = ScheduleConfig(warmup=0.1)
    assert [rate(step, 100, 1.0, config) for step in range(10)] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert rate(10, 100, 1.0, config) == 1.0


def test_rate_falls_to_its_final_share_and_never_rises_after_warmup():
    config = ScheduleConfig(warmup=0.05, final=0.01)
    rates = [rate(step, 200, 2.0, config) for step in range(10, 200)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


def test_constant_stays():
    config = ScheduleConfig(name="constant", warmup=0.0)
    assert {rate(step, 7, 0.5, config) for step in range(7)} == {0.5}


def test_every_rate_is_finite_for_a_training_of_one_step():
    assert math.isfinite(rate(0, 1, 1.0, ScheduleConfig(warmup=0.9)))
