"""A finished training's net, out of the weights in the state folder, to teach another one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from isoflop.data import PreparedData
from isoflop.errors import SpecError
from isoflop.models import build
from isoflop.models.net import LAYOUT
from isoflop.training.adversary import Pixels
from isoflop.training.distillation import Teacher
from isoflop.weights import About, check, unsuited


def load_teacher(path: Path, name: str, prepared: PreparedData, device: torch.device) -> Teacher:
    """The teacher of a name, for the classes of a prepared set in their order.

    Raises `UnknownError` where there is no such file, `DataError` where it is torn or was changed, and `SpecError`
    where it cannot teach on these data.
    """
    check(path, name)
    about = About.read(path)
    if fault := unsuited(about, name, classes=prepared.classes, channels=prepared.shape[0]):
        raise SpecError(fault)
    origin = about.origin
    assert origin is not None, "published weights are not suited"
    net = build(origin.model, image=origin.image, classes=len(origin.labels), seed=0)
    net.load_state_dict(load_file(path))
    ours, theirs = Pixels(prepared.mean, prepared.std, device), Pixels(origin.mean, origin.std, device)
    return Teacher(
        net.to(device).to(memory_format=LAYOUT),
        resolution=net.shape.resolution,
        order=[origin.labels.index(name) for name in prepared.classes],
        scale=ours.std / theirs.std,
        shift=(ours.mean - theirs.mean) / theirs.std,
    )
