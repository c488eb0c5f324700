"""Stems that families share, as groups of parts of which the first has the stride."""

from __future__ import annotations

from isoflop.models.inception.part import CeilPool, Conv, Part, Pool
from isoflop.scaling import Shape

Groups = tuple[tuple[Part, ...], ...]


def pooled(shape: Shape) -> Groups:
    """That of GoogLeNet and its successor with batch norm: 7x7 where it has a stride, else 3x3, as ResNet's."""
    kernel = 7 if shape.stem > 1 else 3
    return ((Conv(64, kernel),), (CeilPool(), Conv(64), Conv(192, 3)), (CeilPool(),))


TIGHT: Groups = (
    (Conv(32, 3, tight=True), Conv(32, 3, tight=True), Conv(64, 3)),
    (Pool(tight=True), Conv(80), Conv(192, 3, tight=True)),
    (Pool(tight=True),),
)
"""That of Inception v3 and Inception-ResNet."""
