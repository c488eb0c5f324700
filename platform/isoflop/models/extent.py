"""Depth, width, resolution and FLOPs counted for images of one kind: what the geometry of scaling asks for."""

from __future__ import annotations

from isoflop.config import ModelConfig
from isoflop.models.cost import cost
from isoflop.scaling import Count, Extent


def counter(*, image: tuple[int, int, int], classes: int) -> Count:
    """Counts models for images stored as (channels, height, width), on the meta device."""

    def count(model: ModelConfig) -> Extent:
        return cost(model, image=image, classes=classes).extent

    return count
