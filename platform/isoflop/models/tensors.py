"""Tensors in nested values."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor


def tensors(values: object) -> Iterator[Tensor]:
    """Every tensor in nested sequences and mappings."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from tensors(value)
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from tensors(value)
