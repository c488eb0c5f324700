"""What no shape goes beyond."""

from __future__ import annotations

from isoflop.config import ModelConfig
from isoflop.families import family

SMALLEST = 8
"""Pixels of a side below which no family is built."""
WIDEST = 1024
"""Pixels of a side above which none is."""
PHI = 16
"""Compound coefficient above which, or below whose negative, none is."""
LARGEST = 100.0
"""Multiplier of depth or width above which no shape is made: such a net would take minutes to count alone."""


def smallest(name: str, stem: int) -> int:
    """Pixels of a side of the smallest images that a family takes with a stem."""
    return -(-family(name).least.get(stem, SMALLEST) // stem) * stem


def stem_of(model: ModelConfig) -> int:
    """Pixels per cell of the first feature map of a configuration."""
    return model.stem or family(model.family).stem
