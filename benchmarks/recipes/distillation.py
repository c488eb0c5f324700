"""A student that learns from a teacher beats the same student alone (Hinton et al. 2015, arXiv 1503.02531)."""

from __future__ import annotations

from typing import Any

from benchmarks.recipes.row import Lab, Row, compared
from isoflop.starts import add_trained

TEACHER: dict[str, Any] = {
    "model.family": "resnet",
    "model.depth": 0.5,
    "model.width": 0.125,
    "data.name": "digits",
    "optim.lr": 0.05,
    "augment.crop": 1,
    "train.horizon": 30,
}
STUDENT: dict[str, Any] = {
    "model.family": "lenet",
    "model.width": 0.5,
    "data.name": "digits",
    "optim.name": "adamw",
    "optim.lr": 3e-3,
    "augment.crop": 1,
    "train.batch_size": 32,
}


def distillation(lab: Lab) -> Row:
    """Equal epochs: a teacher's forward pass comes on top of a step."""
    run, accuracy = lab.trained(0, TEACHER)
    run.finish(lab.folder / "teacher")
    teacher = add_trained(lab.folder / "teacher", spent=run.fit.length.spent(run.step), folder=lab.folder / "weights")
    student = {**STUDENT, "train.horizon": 40}
    taught = {"distill.teacher": teacher.stem, "distill.weight": 0.9, "distill.temperature": 4.0}
    pairs = []
    for seed in lab.seeds:
        (_, alone), (_, after) = (lab.trained(seed, {**student, **more}, teacher) for more in ({}, taught))
        pairs.append((alone, after))
    return compared("distillation", "accuracy", pairs, f"digits; half a LeNet-5; its teacher {accuracy:.3f}")
