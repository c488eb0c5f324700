"""What halves the side of a map, rounded up, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, fractional_max_pool2d, max_pool2d

LEAST = 1e-6
"""Weight of a place that is not active."""


class Mixed(nn.Module):
    """Maximum and average pooling in a share that is learnt (Lee et al. 2016, arXiv 1509.08985, section 3.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        share = self.share.sigmoid()
        return share * max_pool2d(x, 2, ceil_mode=True) + (1 - share) * avg_pool2d(x, 2, ceil_mode=True)


class Stochastic(nn.Module):
    """One of four places, drawn in proportion to its activation; their mean so weighted when it does not train.

    Zeiler & Fergus 2013, arXiv 1301.3557, section 3. What is negative is never drawn, unless all four are. The
    greatest of the logarithms with Gumbel noise is such a draw.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        weights = x.relu() + LEAST
        if not self.training:
            return avg_pool2d(weights * x, 2, ceil_mode=True) / avg_pool2d(weights, 2, ceil_mode=True)
        noise = -(-torch.rand_like(weights).clamp_min(LEAST).log()).log()
        drawn, places = max_pool2d(weights.log() + noise, 2, ceil_mode=True, return_indices=True)
        return x.flatten(2).gather(2, places.flatten(2)).view_as(drawn)


class Fractional(nn.Module):
    """Maximum pooling over windows whose borders are drawn (Graham 2014, arXiv 1412.6071); fixed when not training.

    Twice, by the root of two each: by two at once there would be nothing to draw.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        halved = [-(-side // 2) for side in x.shape[-2:]]
        between = [max(half, round(side / math.sqrt(2))) for half, side in zip(halved, x.shape[-2:], strict=True)]
        for sides in (between, halved):
            if sides != [*x.shape[-2:]]:
                fixed = None if self.training else torch.full((*x.shape[:2], 2), 0.5, dtype=x.dtype, device=x.device)
                x = fractional_max_pool2d(x, 2, sides, _random_samples=fixed)
        return x


def _strided(channels: int) -> nn.Module:
    return nn.Conv2d(channels, channels, 3, 2, padding=1, bias=False)


DOWNSAMPLINGS: Mapping[str, Callable[[int], nn.Module]] = {
    "max": lambda _: nn.MaxPool2d(2, ceil_mode=True),
    "average": lambda _: nn.AvgPool2d(2, ceil_mode=True),
    "lp": lambda _: nn.LPPool2d(2, 2, ceil_mode=True),
    "mixed": lambda _: Mixed(),
    "stochastic": lambda _: Stochastic(),
    "fractional": lambda _: Fractional(),
    "stride": _strided,
}


def downsampling(name: str, channels: int) -> nn.Module:
    """A new layer that halves a map of so many channels."""
    return DOWNSAMPLINGS[name](channels)
