"""The learning rate as a pure function of the step and, on a plateau, of the validation losses so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from isoflop.config import ScheduleConfig

THRESHOLD = 1e-4
"""A loss is smaller than the smallest so far if it is so by this share of it, as in torch's `ReduceLROnPlateau`."""

Shape: TypeAlias = Callable[[int, int, ScheduleConfig], float]
"""Share of the peak at a step counted from 0, of so many; none of them has a warm-up."""


def rate(step: int, steps: int, peak: float, config: ScheduleConfig, losses: Sequence[float] = ()) -> float:
    """Learning rate of a step counted from 0, of a training of `steps` steps.

    Linear warm-up from 0, then the schedule over what is left of the horizon. `losses` are those of the reports so far
    on validation; `plateau` alone looks at them.
    """
    if config.name == "onecycle":
        return peak * _onecycle(step, steps, config)
    warmup = round(config.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    if config.name == "plateau":
        return peak * max(config.factor ** drops(losses, config.patience), config.final)
    if config.name == "wsd":
        return peak * _wsd(step, steps, config)
    return peak * SHAPES[config.name](step - warmup, max(1, steps - warmup), config)


def drops(losses: Sequence[float], patience: int) -> int:
    """How often the rate fell on a plateau: each time that more reports than `patience` in a row were not better."""
    smallest, waited, fell = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < smallest * (1 - THRESHOLD) else waited + 1
        smallest = loss if waited == 0 else smallest
        if waited > patience:
            fell, waited = fell + 1, 0
    return fell


def _constant(step: int, steps: int, config: ScheduleConfig) -> float:
    del step, steps, config
    return 1.0


def _cosine(step: int, steps: int, config: ScheduleConfig) -> float:
    """Loshchilov & Hutter 2017, arXiv 1608.03983, equation 5."""
    return config.final + (1 - config.final) * (1 + math.cos(math.pi * (step / steps))) / 2


def _step(step: int, steps: int, config: ScheduleConfig) -> float:
    return max(config.factor ** (step * (config.drops + 1) // steps), config.final)


def _exponential(step: int, steps: int, config: ScheduleConfig) -> float:
    return float(config.final ** (step / steps))


def _linear(step: int, steps: int, config: ScheduleConfig) -> float:
    return 1 - (1 - config.final) * step / steps


def _restarts(step: int, steps: int, config: ScheduleConfig) -> float:
    """The same paper's warm restarts, over a number of cycles that fill the horizon."""
    lengths = [config.growth**cycle for cycle in range(config.cycles)]
    done = step * sum(lengths) / steps
    for length in lengths:
        if done < length:
            return config.final + (1 - config.final) * (1 + math.cos(math.pi * done / length)) / 2
        done -= length
    return config.final


def _wsd(step: int, steps: int, config: ScheduleConfig) -> float:
    """Constant, then down to the end along a line (Hägele et al. 2024, arXiv 2405.18392)."""
    decay = max(1, round(config.decay * steps))
    return 1 - (1 - config.final) * max(0, step - (steps - decay)) / decay


def _onecycle(step: int, steps: int, config: ScheduleConfig) -> float:
    """Smith & Topin 2019, arXiv 1708.07120, along cosines as in torch, over all steps; momentum stays as it is."""
    top = max(0.0, config.warmup * steps - 1)
    if step <= top and top:
        return _half(config.start, 1.0, step / top)
    return _half(1.0, config.final, (step - top) / max(1.0, steps - 1 - top))


def _half(first: float, last: float, progress: float) -> float:
    """Half a cosine from one value to another."""
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


SHAPES: Mapping[str, Shape] = {
    "constant": _constant,
    "cosine": _cosine,
    "step": _step,
    "exponential": _exponential,
    "linear": _linear,
    "restarts": _restarts,
}
