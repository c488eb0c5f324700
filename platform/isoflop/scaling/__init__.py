"""Depth, width and resolution, and how they grow together.

Compound scaling after Tan & Le 2019 (arXiv 1905.11946, equation 3): depth * alpha**phi, width * beta**phi,
resolution * gamma**phi. FLOPs are counted on the built model, never taken from 2**phi. Nothing here loads torch: what a
shape costs is a function that is passed in.
"""

from isoflop.scaling.channels import round_channels
from isoflop.scaling.dial import FINE, Vary
from isoflop.scaling.extent import DIMENSIONS, Count, Dimension, Extent, Logs
from isoflop.scaling.fit import unfit
from isoflop.scaling.limits import LARGEST, PHI, SMALLEST, WIDEST, smallest
from isoflop.scaling.shape import Shape
from isoflop.scaling.solution import Solution, solve

__all__ = [
    "DIMENSIONS",
    "FINE",
    "LARGEST",
    "PHI",
    "SMALLEST",
    "WIDEST",
    "Count",
    "Dimension",
    "Extent",
    "Logs",
    "Shape",
    "Solution",
    "Vary",
    "round_channels",
    "smallest",
    "solve",
    "unfit",
]
