"""How many images each training of a scaling study may see, so that all of them together keep a budget."""

from __future__ import annotations

import re
from dataclasses import replace

from isoflop.compound.study import scaling_plan
from isoflop.config import Axis
from isoflop.data import PreparedData
from isoflop.errors import Fault, InputError, SpecError
from isoflop.execution.capacity import workers
from isoflop.planning.scaling.course import Course
from isoflop.planning.scaling.plan import ScalingPlan
from isoflop.spec import Spec
from isoflop.speed import speed
from isoflop.study_spec import seconds

FEWEST = 1000
"""Images that a training sees at least: with fewer there is nothing to compare."""


def within(spec: Spec, prepared: PreparedData, budget: str) -> Spec:
    """A spec whose trainings see as many images as a budget allows: FLOPs such as `2e15`, or a time such as `4h`.

    Time is counted with what a few steps of each base take here. Raises `InputError` for what is neither, and for a
    budget that is too small.
    """
    plan = scaling_plan(spec, prepared)
    if (flops := _number(budget)) is not None:
        images = flops / sum(image_flops(plan).values())
    else:
        costs = image_flops(plan)
        spent = sum(costs[c.family] / speed(c.base, spec.study.seed, prepared.path) for c in plan.courses)
        images = _seconds(budget) * workers(spec.study.resources) / spent
    if images < FEWEST:
        what = f"{budget} is {images:.0f} images for each of {plan.trainings} trainings, fewer than {FEWEST}"
        raise InputError(Fault("--budget", what, "raise it, lower --largest or --seeds, or scale fewer families"))
    fidelity = spec.study.fidelity.model_copy(update={"axis": Axis.IMAGES, "horizon": float(int(images))})
    return replace(spec, study=spec.study.model_copy(update={"fidelity": fidelity}))


def image_flops(plan: ScalingPlan) -> dict[str, float]:
    """Training FLOPs that one image in each of its trainings adds up to, by family."""
    return {course.family: _image_flops(plan, course) for course in plan.courses}


def _image_flops(plan: ScalingPlan, course: Course) -> float:
    """Of one family; what a step does with a forward pass's FLOPs, attacks among it, is that of its base."""
    epoch = course.base.train.model_copy(update={"axis": Axis.EPOCHS, "horizon": 1.0, "reports": 1})
    base = course.base.model_copy(update={"train": epoch})
    forward = course.ground.extent.flops
    own, teacher = plan.lengths.image(base, forward)
    return own / forward * course.image_flops + teacher * course.trainings


def _number(budget: str) -> float | None:
    return float(budget) if re.fullmatch(r"\d+(\.\d*)?([eE]\+?\d+)?", budget.strip()) else None


def _seconds(budget: str) -> float:
    try:
        return seconds(budget)
    except SpecError:
        raise InputError(Fault("--budget", f"{budget!r} is no budget", "write FLOPs as 2e15, or time as 4h")) from None


def outlook(plan: ScalingPlan) -> list[str]:
    """What a study would train, for people."""
    fidelity = plan.spec.fidelity
    lines = [f"trainings: {plan.trainings}, each {fidelity.horizon:g} {fidelity.axis} long"]
    for course in plan.courses:
        ground, model = course.ground, course.base.model
        shape = f"d{model.depth:.3g} w{model.width:.3g} r{model.resolution}"
        shapes, sizes = len(course.design.points), len(plan.scale.sizes)
        lines += [
            f"{course.family}: {shape}, {ground.extent.flops:,.0f} FLOPs, to {2**plan.scale.largest:g} times that",
            f"  {shapes} shapes on {plan.scale.fit_seeds} seeds, {sizes} sizes on {plan.scale.seeds}",
        ]
        lines += [f"  not varied: {name}, {why}" for name, why in course.design.fixed.items()]
    if fidelity.axis is Axis.IMAGES:
        total = sum(image_flops(plan).values()) * fidelity.horizon
        lines.append(f"training FLOPs: about {total:.3g}")
    return lines
