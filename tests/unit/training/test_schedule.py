"""The learning rate is a pure function of the step, equal to the schedules of torch and timm."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from timm.scheduler import CosineLRScheduler
from timm.scheduler.wsd_lr import WSDLRScheduler
from torch.optim import SGD
from torch.optim import lr_scheduler as torchs

from isoflop.config import ScheduleConfig
from isoflop.config.schedule import Shape
from isoflop.errors import SpecError
from isoflop.training.schedule import drops, rate

PEAK = 0.3
NAMES = get_args(Shape)


def stepped(make: Callable[[SGD], Any], steps: int) -> list[float]:
    """The rates of a schedule of torch."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    reference, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a last step that is one too many
            reference.step()
    return found


def updated(make: Callable[[SGD], Any], steps: int) -> list[float]:
    """The rates of a schedule of timm."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    reference, found = make(optimizer), []
    for step in range(steps):
        reference.step_update(step)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def rates(steps: int, **settings: Any) -> list[float]:
    made = ScheduleConfig(**settings)
    return [rate(step, steps, PEAK, made) for step in range(steps)]


@pytest.mark.parametrize("seed", range(3))
def test_every_schedule_is_its_reference(seed: int):
    draw = np.random.default_rng(seed)
    final, factor, start = (float(value) for value in draw.uniform(0.01, 0.9, 3))
    many, length, warmup = (int(value) for value in draw.integers(2, 9, 3))
    steps = many * length

    def same(name: str, expected: list[float], **settings: Any) -> None:
        assert rates(len(expected), **{"name": name, "warmup": 0.0, **settings}) == pytest.approx(expected, abs=1e-9)

    same("cosine", stepped(lambda o: torchs.CosineAnnealingLR(o, steps, eta_min=final * PEAK), steps), final=final)
    same("linear", stepped(lambda o: torchs.LinearLR(o, 1.0, final, steps), steps), final=final)
    same("exponential", stepped(lambda o: torchs.ExponentialLR(o, final ** (1 / steps)), steps), final=final)
    same("step", stepped(lambda o: torchs.StepLR(o, length, factor), steps), drops=many - 1, factor=factor)
    for growth in (1, 2):
        whole = length * sum(growth**cycle for cycle in range(many))
        restarts = stepped(lambda o, g=growth: torchs.CosineAnnealingWarmRestarts(o, length, g, final * PEAK), whole)
        same("restarts", restarts, cycles=many, growth=growth, final=final)
        cycled = updated(
            lambda o, g=growth: CosineLRScheduler(
                o, length, final * PEAK, cycle_mul=g, cycle_limit=many, t_in_epochs=False
            ),
            whole,
        )
        same("restarts", cycled, cycles=many, growth=growth, final=final)
    one = {"max_lr": PEAK, "total_steps": steps, "div_factor": 1 / start, "final_div_factor": start / final}
    rising = float(draw.uniform(0.2, 0.8))
    cycle = stepped(lambda o: torchs.OneCycleLR(o, pct_start=rising, cycle_momentum=False, **one), steps - 1)
    assert rates(steps, name="onecycle", warmup=rising, start=start, final=final)[:-1] == pytest.approx(cycle)
    decay, whole = warmup + 3, steps + 2 * warmup + 3

    def wsd(optimizer: SGD) -> WSDLRScheduler:
        return WSDLRScheduler(
            optimizer, whole - warmup, decay, final * PEAK, decay_fn="linear", warmup_t=warmup, t_in_epochs=False
        )

    # timm's first step is at 0 where ours is the first one up, and it has one more at the end of the climb
    found = rates(whole, name="wsd", warmup=warmup / whole, decay=decay / whole, final=final)
    assert found[warmup:] == pytest.approx(updated(wsd, whole)[warmup:])


@pytest.mark.parametrize("seed", range(20))
def test_a_plateau_is_torchs(seed: int):
    draw = np.random.default_rng(seed)
    losses = [*np.exp(-np.arange(30) / draw.uniform(3, 30)) + draw.normal(0, 0.05, 30)]
    factor, final, patience = float(draw.uniform(0.1, 0.9)), float(draw.uniform(0, 0.2)), int(draw.integers(0, 5))
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    reference = torchs.ReduceLROnPlateau(optimizer, factor=factor, patience=patience, min_lr=final * PEAK, eps=0)
    made = ScheduleConfig(name="plateau", warmup=0.0, factor=factor, final=final, patience=patience)
    for report in range(30):
        assert rate(report, 30, PEAK, made, losses[:report]) == pytest.approx(optimizer.param_groups[0]["lr"])
        reference.step(losses[report])
    assert patience > 1 or drops(losses, patience) > 0


def test_a_plateau_warms_up_first():
    made = ScheduleConfig(name="plateau", warmup=0.5, patience=0)
    assert [rate(step, 8, 1.0, made, [1.0, 1.0]) for step in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 0.1, 0.1])


@pytest.mark.parametrize("name", sorted({*NAMES} - {"onecycle"}))
def test_warmup_climbs_linearly_to_the_peak(name: str):
    made = ScheduleConfig(name=name, warmup=0.1, final=0.1)
    assert [rate(step, 100, 1.0, made) for step in range(10)] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert rate(10, 100, 1.0, made) == 1.0


@pytest.mark.parametrize("name", sorted({*NAMES} - {"onecycle", "restarts"}))
def test_rate_falls_to_its_final_share_and_never_rises_after_warmup(name: str):
    made = ScheduleConfig(name=name, warmup=0.05, final=0.01)
    found = [rate(step, 2000, 2.0, made) for step in range(100, 2000)]
    assert found == sorted(found, reverse=True)
    if name not in {"constant", "plateau"}:
        assert found[-1] == pytest.approx(0.02, abs=0.006)


@pytest.mark.parametrize("name", NAMES)
def test_every_rate_is_finite_for_a_training_of_few_steps(name: str):
    for warmup in (0.0, 0.5, 0.8):
        made = ScheduleConfig(name=name, warmup=warmup, final=0.1)
        for steps in (1, 2, 3, 7):
            found = [rate(step, steps, 1.0, made) for step in range(steps)]
            assert all(math.isfinite(value) and 0 < value <= 1 for value in found)


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"name": "exponential"}, "final"), ({"name": "wsd", "warmup": 0.6, "decay": 0.5}, "decay")],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], key: str):
    with pytest.raises(ValueError, match=r"the whole horizon|never comes to 0") as caught:
        ScheduleConfig(**settings)
    assert isinstance(caught.value.errors()[0]["ctx"]["error"], SpecError)  # type: ignore[attr-defined]
    assert key in str(caught.value)
