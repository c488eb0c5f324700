"""What is not finite is told with the step where it happened."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from isoflop.errors import DivergedError
from isoflop.training.watch import SKIPPED, STEPS, Watch, whole


def tensor(value: float) -> torch.Tensor:
    return torch.tensor(value)


def watch(losses: dict[int, float], gradients: dict[int, float], *, until: int, skips: bool = False) -> Watch:
    made = Watch(skips=skips)
    for step in range(1, until + 1):
        made.note(step, tensor(losses.get(step, 1.0)), tensor(gradients.get(step, 1.0)))
    made.look(until)
    return made


@pytest.mark.parametrize("step", [1, STEPS - 1, STEPS, STEPS + 1, 2 * STEPS, 70])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_step_is_named_and_whether_loss_or_gradient(step: int, value: float):
    with pytest.raises(DivergedError, match=f"gradient is not finite at step {step}"):
        watch({step + 1: value}, {step: value}, until=71)
    with pytest.raises(DivergedError, match=f"train_loss is not finite at step {step}"):
        watch({step: value}, {step: value}, until=71)


def test_looks_go_on_where_the_last_one_ended():
    made = watch({}, {}, until=5)
    made.note(6, tensor(1.0), tensor(math.nan))
    with pytest.raises(DivergedError, match="step 6"):
        made.look(6)
    watch({}, {}, until=STEPS).look(STEPS)


def test_steps_that_are_left_out_are_counted_and_no_part_of_the_mean():
    made = watch({2: math.inf, 3: math.nan}, {2: math.inf, 3: math.nan, 9: math.nan}, until=40, skips=True)
    assert (made.skipped, made.row) == (3, 0)
    assert made.mean() == 1.0


def test_many_in_a_row_are_a_divergence_across_looks_and_checkpoints():
    bad = dict.fromkeys(range(20, 100), math.nan)
    with pytest.raises(DivergedError, match=f"gradient is not finite at step {19 + SKIPPED}"):
        watch({}, bad, until=99, skips=True)
    made = watch({}, bad, until=45, skips=True)
    assert made.row == 26
    again = Watch(skips=True)
    again.load_state_dict(made.state_dict())
    for step in range(46, 20 + SKIPPED):
        again.note(step, tensor(1.0), tensor(math.nan))
    with pytest.raises(DivergedError, match=f"step {19 + SKIPPED}"):
        again.look(19 + SKIPPED)


def test_the_mean_is_of_the_steps_since_it_was_asked_for():
    made = watch({1: 4.0}, {}, until=2)
    assert made.mean() == 2.5
    made.note(3, tensor(7.0), tensor(1.0))
    made.look(3)
    assert made.mean() == 7.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_number_of_any_gradient_is_enough(value: float):
    parameters = [nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(2))]
    for parameter in parameters[:2]:
        parameter.grad = torch.randn_like(parameter)
    assert torch.isfinite(whole(parameters))
    assert parameters[1].grad is not None
    parameters[1].grad[3] = value
    assert not torch.isfinite(whole(parameters))
