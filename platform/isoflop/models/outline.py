"""What every module of a net gives, without weights or images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from isoflop.config import ModelConfig
from isoflop.models.registry import build


def outline(model: ModelConfig, *, image: tuple[int, int, int], classes: int) -> Mapping[str, tuple[int, ...]]:
    """Shape of one image's output by the module's name, of all that are called in a forward pass.

    Images are stored as (channels, height, width). Raises `SpecError` for a shape that cannot be.
    """
    with torch.device("meta"):
        net = build(model, image=image, classes=classes).eval()
        images = torch.empty(1, image[0], net.shape.resolution, net.shape.resolution)
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[name] = tuple(output.shape[1:])

    for name, module in net.named_modules():
        module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
    with torch.no_grad():
        net(images)
    return shapes
