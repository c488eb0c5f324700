"""One number for each image of a batch, of a CPU generator: equal draws on every device.

What is computed of so few numbers is computed by NumPy, which takes a quarter of torch's time for a call.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Numbers (N,) between two bounds."""
    return torch.rand(count, generator=generator) * (high - low) + low


def chance(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Booleans (N,) that are true with a probability."""
    return torch.rand(count, generator=generator) < probability


def signs(count: int, generator: torch.Generator) -> Tensor:
    """-1 or 1 (N,), each with probability one half."""
    return torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1.0


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """A generator of NumPy, seeded by the next number of torch's, which has no public Beta or Dirichlet to seed."""
    return np.random.default_rng(int(torch.randint(2**63 - 1, (), generator=generator)))
