"""A student that learns from a teacher beats the same student alone (Hinton et al. 2015, arXiv 1503.02531)."""

from __future__ import annotations

from pathlib import Path
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
SHARE = 0.03
"""Of the training images that the student sees; the teacher saw all."""
STUDENT: dict[str, Any] = {
    "model.family": "basic_cnn",
    "data.name": "digits",
    "optim.lr": 0.02,
    "augment.crop": 1,
    "train.batch_size": 32,
    "train.axis": "images",
    "data.fraction": SHARE,
}


def distillation(lab: Lab) -> Row:
    """The same few images, labels and steps: a teacher's forward pass comes on top of each."""
    run, accuracy = lab.trained(0, TEACHER)
    run.finish(lab.folder / "teacher")
    teacher = add_trained(lab.folder / "teacher", spent=run.fit.length.spent(run.step), folder=lab.folder / "weights")
    student = {**STUDENT, "train.horizon": 32 * 300}
    taught = {"distill.teacher": teacher.stem, "distill.weight": 0.9, "distill.temperature": 4.0}
    pairs = []
    for seed in lab.seeds:
        alone, after = (_accuracy(lab, seed, {**student, **more}, teacher) for more in ({}, taught))
        pairs.append((alone, after))
    note = f"digits; a small CNN on {SHARE:.0%} of the images; its teacher, trained on all, {accuracy:.3f}"
    return compared("distillation", "accuracy", pairs, note)


def _accuracy(lab: Lab, seed: int, params: dict[str, Any], teacher: Path) -> float:
    run = lab.begin(seed, params, teacher)
    *_, last = run
    return last.metrics["val_accuracy"]
